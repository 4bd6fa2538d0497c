"""Custom domains: claim one, prove it, serve the API at it, and remove it."""
