"""Held events: count and release them."""
