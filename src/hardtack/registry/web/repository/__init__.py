"""Pages of a repository: its tags, README, history, what was deleted, its settings; and its images."""
