"""Requests with an `Idempotency-Key`: a repeated request gets the same answer."""
