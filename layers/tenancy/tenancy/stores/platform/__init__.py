"""Statements that cross organizations: only the use cases of the platform may import this package."""
