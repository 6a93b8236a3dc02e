"""Pages about accounts: one's own, with its tokens and robots, and the organisations that one is in."""
