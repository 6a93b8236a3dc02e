"""Looking after what is kept: checking and repairing it, backing it up and restoring it, moving it elsewhere."""
