"""Back up a schema to a file, restore it, drop it."""
