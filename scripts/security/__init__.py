"""Checks of the security of code, templates and dependencies, by programs in an environment of their own."""
