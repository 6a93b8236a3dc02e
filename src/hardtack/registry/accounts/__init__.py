"""Who calls, and what was granted to them: users, organisations, teams, robots, their secrets and their sessions."""
