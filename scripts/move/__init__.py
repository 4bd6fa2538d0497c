"""Move organizations between databases of PostgreSQL (docs/decisions/0084-moves-between-databases.md)."""
