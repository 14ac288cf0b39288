"""PostgreSQL: connecting to it, sessions, the embedded server, the catalogue, backups."""
