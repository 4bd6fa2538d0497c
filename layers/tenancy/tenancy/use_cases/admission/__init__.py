"""Admission: decide on a request, and keep Redis informed about each organization's standing."""
