"""Small helpers around the operating system."""
