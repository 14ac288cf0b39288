"""Run revisions on a database: the lock, the session, the timeouts, the report of a failure."""
