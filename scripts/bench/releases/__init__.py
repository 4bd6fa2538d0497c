"""Two releases of the platform beside each other, each with its own code, schema and requests."""
