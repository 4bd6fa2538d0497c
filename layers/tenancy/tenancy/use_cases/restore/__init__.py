"""After a restore from a backup: do again what the backup does not know."""
