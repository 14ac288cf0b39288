"""Progress on stderr: a spinner or bar at a terminal, a line per phase elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from larp_cli.cli.terminal import Terminal, drop_failed_writes
from larp_cli.observer import Observer, Silent
from larp_cli.rendering.printable import printable
from larp_cli.system.streams import write_to_stderr

if TYPE_CHECKING:
    from rich.progress import TaskID

Redact = Callable[[str], str]


class LineObserver:
    """Writes a line per phase, wait and note, and as many steps as a log can bear."""

    FEW = 20
    """Steps of a phase that are all written; of more, one a second."""
    STEP_SECONDS, READING_SECONDS = 1.0, 30.0

    def __init__(self, redact: Redact) -> None:
        self._redact = redact
        self._total = 0
        self._written = 0.0

    def started(self, phase: str, total: int | None = None) -> None:
        """Write the phase, with the number of steps where it is known."""
        self._total, self._written = total or 0, time.monotonic()
        self._write(f"{phase} ({total})" if self._total > 1 else phase)

    def progress(self, step: str, done: int | None = None) -> None:
        """Write a step that counts, with its number, and now and then a passing reading."""
        if done is None:
            pause = self.READING_SECONDS
        else:
            pause = self.STEP_SECONDS if self._total > self.FEW else 0.0
        now = time.monotonic()
        if now < self._written + pause:
            return
        self._written = now
        number = f"{done + 1}/{self._total} " if done is not None and self._total > 1 else ""
        self._write(f"  {number}{step}")

    def waiting(self, reason: str) -> None:
        """Write what the work waits for."""
        self._write(f"waiting for {reason}")

    def finished(self, summary: str) -> None:
        """Write the end of a phase that has something to say."""
        if summary:
            self._write(summary)

    def note(self, text: str) -> None:
        """Write the note."""
        self._write(f"note: {text}")

    def warning(self, text: str) -> None:
        """Write the warning."""
        self._write(f"warning: {text}")

    def _write(self, text: str) -> None:
        write_to_stderr(printable(self._redact(text)))


class TerminalObserver:
    """Draws a spinner, or a bar where the number of steps is known."""

    def __init__(self, redact: Redact, *, colour: bool) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        self._redact = redact
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(
                file=drop_failed_writes(sys.stderr),
                no_color=not colour,
                markup=False,
                emoji=False,
                highlight=False,
            ),
            transient=True,
            refresh_per_second=8,
        )
        self._task: TaskID | None = None
        self._phase = ""

    def started(self, phase: str, total: int | None = None) -> None:
        """Begin to draw the phase."""
        self._phase = phase
        self._clear()
        self._task = self._progress.add_task(self._clean(phase), total=total)
        self._progress.start()

    def progress(self, step: str, done: int | None = None) -> None:
        """Move on to the step."""
        self._describe(f"{self._phase}: {step}", done)

    def waiting(self, reason: str) -> None:
        """Show what the work waits for."""
        self._describe(f"{self._phase}: waiting for {reason}")

    def finished(self, summary: str) -> None:
        """Wipe the drawing, and leave the summary where there is one."""
        self._clear()
        self._progress.stop()
        if summary:
            self._print(summary)

    def note(self, text: str) -> None:
        """Write the note above the drawing."""
        self._print(f"note: {text}")

    def warning(self, text: str) -> None:
        """Write the warning above the drawing."""
        self._print(f"warning: {text}")

    def _describe(self, text: str, done: int | None = None) -> None:
        if self._task is not None:
            self._progress.update(self._task, description=self._clean(text), completed=done)

    def _clear(self) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None

    def _print(self, text: str) -> None:
        self._progress.console.print(self._clean(text), soft_wrap=True)

    def _clean(self, text: str) -> str:
        return printable(self._redact(text))


@contextmanager
def observer_for(terminal: Terminal, *, quiet: bool, redact: Redact) -> Iterator[Observer]:
    """Choose who draws, and wipe the drawing at the end."""
    if quiet:
        yield Silent()
    elif not terminal.animation_allowed:
        yield LineObserver(redact)
    else:
        observer = TerminalObserver(redact, colour=terminal.stderr_has_colour)
        try:
            yield observer
        finally:
            observer.finished("")
