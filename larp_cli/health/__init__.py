"""Health checks of the database, and the monitor that runs them."""
