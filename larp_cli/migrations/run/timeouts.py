"""How long a migrator waits, for what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds that the statements of a revision may take."""

    lock: float
    """To wait for a lock; the application's queries queue behind it all that time."""
    statement: float
    concurrently: float
    """To build or drop an index with ``CONCURRENTLY``, waiting included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a migrator waits for others."""

    timeouts: Timeouts
    lock_retries: int
    """How often a revision is tried again after it waited in vain for a lock."""
    mutex_wait: float
    """Seconds to wait for another migrator."""
