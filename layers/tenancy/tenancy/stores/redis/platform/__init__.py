"""Scripts of Redis that work for all organizations."""
