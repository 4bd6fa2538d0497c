"""Usage: record it, read it, and announce thresholds of quotas."""
