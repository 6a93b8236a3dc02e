"""The process side: a parent that keeps workers alive on one port, and what each worker runs."""
