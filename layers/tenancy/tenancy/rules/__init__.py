"""Rules: plain values and functions that decide.

No driver, no clock, no environment.
"""
