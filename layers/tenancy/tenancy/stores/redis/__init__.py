"""Stores in Redis: the counters and standings of admission, one Lua script per operation."""
