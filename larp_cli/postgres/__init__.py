"""PostgreSQL: connections, the catalog, client programs, the embedded server."""
