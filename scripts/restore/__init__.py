"""Restores from backups: the replay of the register, and a drill."""
