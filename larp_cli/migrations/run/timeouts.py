"""How long a migration waits, and for what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds that a migration waits for locks, for its statements and for other migrators."""

    lock: float
    """For a table's lock; the application's queries queue behind it all that time."""
    statement: float
    """For a statement of a revision."""
    concurrently: float
    """For building or dropping an index with ``CONCURRENTLY``, waiting included."""
    lock_retries: int
    """How often a revision is tried again after ``lock`` ran out."""
    mutex_wait: float
    """For another migrator to finish."""
