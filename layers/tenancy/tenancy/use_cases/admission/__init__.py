"""Admission: decide on requests, and publish each organization's standing to Redis."""
