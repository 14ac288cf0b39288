"""How long work tells what it is doing, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Hears what long work is doing.

    The work calls these in order; the command line draws them as a spinner, as a line
    per phase, or as nothing. Texts are plain: never markup, never a secret.
    """

    def started(self, phase: str, total: int | None = None) -> None:
        """Announce a phase; ``total`` is the number of steps, where it is known."""

    def progress(self, step: str, done: int | None = None) -> None:
        """Tell what the phase is at now; ``done`` counts towards ``total``.

        Without ``done`` it is a passing reading, which only a terminal shows.
        """

    def waiting(self, reason: str) -> None:
        """Report what the work waits for: a noun phrase after "waiting for"."""

    def finished(self, summary: str) -> None:
        """End the phase."""

    def note(self, text: str) -> None:
        """Report a fact on its own line."""

    def warning(self, text: str) -> None:
        """Tell something that went wrong without stopping the work."""


class Silent:
    """An observer that says nothing."""

    def started(self, phase: str, total: int | None = None) -> None:
        """Say nothing."""

    def progress(self, step: str, done: int | None = None) -> None:
        """Say nothing."""

    def waiting(self, reason: str) -> None:
        """Say nothing."""

    def finished(self, summary: str) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def warning(self, text: str) -> None:
        """Say nothing."""
