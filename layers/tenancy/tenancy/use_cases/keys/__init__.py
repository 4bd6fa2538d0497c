"""Keys: find the caller that a credential belongs to."""
