"""Watch health: redraw a table at a terminal, print a line for each change elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from larp_cli.cli.streams import write_result
from larp_cli.cli.terminal import drop_failed_writes
from larp_cli.rendering.answer import Answer
from larp_cli.rendering.printable import one_line
from larp_cli.system.streams import wait_unless_unread

if TYPE_CHECKING:
    from larp_cli.cli.context import Context
    from larp_cli.errors import ExitCode
    from larp_cli.health.inspector import Inspector
    from larp_cli.results import HealthReport


def watch_health(
    larp: Context, inspector: Inspector, names: tuple[str, ...], *, interval: float
) -> ExitCode:
    """Run the checks every ``interval`` seconds.

    Ends after ``--timeout``, on a signal, or when the reader of stdout is gone. Returns the exit
    code for the latest result.
    """
    end = time.monotonic() + (larp.options.timeout or float("inf"))
    before: HealthReport | None = None
    with _display(larp) as display:
        while True:
            began = time.monotonic()
            report = inspector.inspect(names)
            display.show(report, before)
            before = report
            due = min(began + interval, end)
            unread = wait_unless_unread(max(0.0, due - time.monotonic()))
            if unread or time.monotonic() >= end:
                inspector.close()
                return Answer.of(larp.command_name, report).exit_code


class Lines:
    """Prints a line for each check whose result changed."""

    def __init__(self, larp: Context) -> None:
        self._larp = larp

    def show(self, report: HealthReport, before: HealthReport | None) -> None:
        """Print what changed."""
        at = report.checked_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        for check in report.checks:
            earlier = before.check(check.name) if before else None
            if earlier and (earlier.status, earlier.reason) == (check.status, check.reason):
                continue
            text = self._larp.redact(f"{at} {check.status.value} {check.name}: {check.observed}")
            write_result(one_line(text))


class Screen:
    """Redraws the table in place."""

    def __init__(self, larp: Context, live: object) -> None:
        self._larp = larp
        self._live = live

    def show(self, report: HealthReport, _before: HealthReport | None) -> None:
        """Draw the report."""
        from rich.text import Text

        at = report.checked_at.astimezone().strftime("%H:%M:%S")
        text = self._larp.render(Answer.of(self._larp.command_name, report))
        drawn = Text.from_ansi(f"{text}\n\nlooked at {at}; Ctrl-C ends")
        self._live.update(drawn, refresh=True)  # type: ignore[attr-defined]


@contextmanager
def _display(larp: Context) -> Iterator[Lines | Screen]:
    if not (larp.terminal.stdout_is_terminal and larp.terminal.animation_allowed):
        yield Lines(larp)
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(
        file=drop_failed_writes(sys.stdout),
        no_color=not larp.terminal.stdout_has_colour,
        highlight=False,
    )
    with Live(console=console, auto_refresh=False) as live:
        yield Screen(larp, live)
