"""Audit: record, seal, prune, read and verify the audit logs."""
