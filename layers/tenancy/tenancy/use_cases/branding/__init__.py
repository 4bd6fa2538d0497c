"""The branding of an organization: read and change it, and serve its images."""
