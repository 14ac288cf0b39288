"""Who draws progress, and what becomes of text that is not ours on the way."""

from __future__ import annotations

import io

import pytest

from larp_cli.cli.progress import LineObserver, TerminalObserver, observer_for
from larp_cli.cli.terminal import Terminal
from larp_cli.observer import Observer, Silent
from larp_cli.redaction import Redactor

HOSTILE = "\x1b[31m[red]:smile:[/red]\x07 postgresql://larp:sesame@db/larp"
SHOWN = "[red]:smile:[/red]"


def terminal(**facts: bool) -> Terminal:
    """Describe a terminal: everything is off unless it is said."""
    names = Terminal.__dataclass_fields__
    return Terminal(**{name: facts.get(name, False) for name in names})


def tell_everything(observer: Observer) -> None:
    """Go through every method once, with a text that a database could have made up."""
    observer.started(HOSTILE, 2)
    observer.progress(HOSTILE, 1)
    observer.waiting(HOSTILE)
    observer.note(HOSTILE)
    observer.warning(HOSTILE)
    observer.finished(HOSTILE)


@pytest.mark.parametrize("animated", [False, True])
def test_progress_neither_obeys_nor_leaks_what_it_is_told(
    animated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No markup, no emoji code, no escape sequence of somebody else, no password."""
    screen = io.StringIO()
    monkeypatch.setattr("sys.stderr", screen)
    redact = Redactor().redact

    tell_everything(TerminalObserver(redact, colour=False) if animated else LineObserver(redact))

    written = screen.getvalue()
    assert SHOWN in written
    assert "\x1b[31m" not in written
    assert "\x07" not in written
    assert "sesame" not in written


def test_off_a_terminal_progress_is_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Each phase, step, wait and note has a line of its own, with a label where it helps."""
    observer = LineObserver(str)
    observer.started("migrating", 2)
    observer.started("checking", 1)
    observer.progress("first", 1)
    observer.waiting("the lock")
    observer.note("uuid-ossp is there")
    observer.warning("slow")
    observer.finished("")
    observer.finished("done")

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "migrating (2)",
        "checking",
        "  first",
        "waiting for the lock",
        "note: uuid-ossp is there",
        "warning: slow",
        "done",
    ]


def test_who_draws_depends_on_the_terminal() -> None:
    """Quiet wins; an animation needs a terminal that allows it."""
    with observer_for(terminal(animation_allowed=True), quiet=True, redact=str) as observer:
        assert isinstance(observer, Silent)
    with observer_for(terminal(), quiet=False, redact=str) as observer:
        assert isinstance(observer, LineObserver)
    with observer_for(terminal(animation_allowed=True), quiet=False, redact=str) as observer:
        assert isinstance(observer, TerminalObserver)


def test_silence_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    """--quiet says nothing of anything."""
    tell_everything(Silent())

    assert capsys.readouterr() == ("", "")
