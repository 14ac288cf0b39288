"""larp's own tables in the database: the ledger, and what it notes about the database."""
