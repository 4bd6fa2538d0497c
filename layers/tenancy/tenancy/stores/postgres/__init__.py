"""Stores in PostgreSQL: one module per topic, one statement per function.

The connection is the first parameter of every function.
"""
