"""The timeouts of a migration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Timeouts in seconds, and the number of retries."""

    lock: float
    """Waiting for a table's lock. The application's queries queue behind it meanwhile."""
    statement: float
    """One statement of a revision."""
    concurrently: float
    """One ``CONCURRENTLY`` statement, including the time it waits for other transactions."""
    lock_retries: int
    """How often a revision is retried after a lock timeout."""
    mutex_wait: float
    """Waiting for another migration to finish."""
