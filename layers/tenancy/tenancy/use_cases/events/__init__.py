"""Stored events: list them, and trace single ones."""
