"""larp: the command-line administration tool of LARP Manager."""

__version__ = "0.1.0"
