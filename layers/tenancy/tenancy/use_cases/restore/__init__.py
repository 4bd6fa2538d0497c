"""Repeat erasures and ended keys after a restore from a backup."""
