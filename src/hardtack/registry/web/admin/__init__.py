"""Pages of those who run the registry: figures, users, organisations, namespaces, the audit log."""
