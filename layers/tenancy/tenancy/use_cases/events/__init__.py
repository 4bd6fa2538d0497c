"""Stored events: list them."""
