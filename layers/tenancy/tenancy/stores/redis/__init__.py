"""Redis: the counters of admission. One Lua script per operation."""
