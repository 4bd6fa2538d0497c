"""Apps: create, change, delete and list the sources of an organization's events."""
