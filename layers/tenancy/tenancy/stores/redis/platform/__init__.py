"""Redis operations that work for all organizations."""
