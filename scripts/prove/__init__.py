"""The isolation proof: tests that pass on the code, and fail on every mutant of it.

docs/isolation.md describes the method.
"""
