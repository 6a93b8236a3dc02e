"""The configuration of the registry: what can be set, what it means, and whether a file says it rightly."""
