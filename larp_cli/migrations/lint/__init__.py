"""Read the SQL of pending revisions before it runs."""
