"""Compare the models with the schema, and write revisions from the difference."""
