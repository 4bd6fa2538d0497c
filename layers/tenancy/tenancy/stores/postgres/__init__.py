"""PostgreSQL: one module per noun, one statement per function, connection first."""
