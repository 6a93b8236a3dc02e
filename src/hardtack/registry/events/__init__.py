"""What has happened, told to others: webhooks, and the audit log."""
