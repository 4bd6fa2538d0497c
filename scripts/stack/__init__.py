"""The embedded stack: all stores and AWS on one machine, without an account or Docker."""
