"""PostgreSQL statements that cross organizations."""
