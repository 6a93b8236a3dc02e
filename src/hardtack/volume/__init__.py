"""Data that outlives a container: named volumes, and what of the host or of memory a container sees."""
