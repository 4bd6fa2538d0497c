"""Audit: record, seal, cut, read and verify the audit logs."""
