"""Back up a schema into a file, and restore it."""
