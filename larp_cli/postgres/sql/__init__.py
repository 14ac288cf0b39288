"""Read SQL with PostgreSQL's own parser: statements, the tables they touch, what they do."""
