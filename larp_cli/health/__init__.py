"""Whether the database is fit for use: the checks, and the monitor that makes them."""
