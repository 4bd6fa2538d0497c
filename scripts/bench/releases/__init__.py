"""Two releases of the platform, each with its own code, schema and requests."""
