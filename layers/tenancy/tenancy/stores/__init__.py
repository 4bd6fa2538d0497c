"""The only modules that import a driver: one file per noun, one statement per function, connection first."""
