"""Requests that the registry makes by itself: which addresses it may call, and sessions that call no others."""
