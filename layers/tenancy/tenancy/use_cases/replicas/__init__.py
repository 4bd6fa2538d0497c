"""Reads from a replica of PostgreSQL, and the tokens by which a caller reads its own writes."""
