"""Thin wrappers over system calls: no policy, no state of our own."""
