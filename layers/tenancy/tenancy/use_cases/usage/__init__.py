"""Usage: record it, read it, and enqueue notices of reached quota thresholds."""
