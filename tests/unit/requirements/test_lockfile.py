"""Parsing and comparing lock files, and their fingerprints."""

from __future__ import annotations

from pathlib import Path

import pytest
from pip._internal.req.req_file import preprocess

from larp_cli.requirements import lockfile
from larp_cli.requirements.lockfile import UnreadableLockFile, add_fingerprints, parse, salvage_pins
from larp_cli.requirements.project import Target
from larp_cli.results import PinChangeKind

TEXT = """#
# by hand
#
Some_Package==1.0 ; python_version > "3" \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via demo (pyproject.toml)
other==2.0  # why
"""
TARGET = Target("main", Path("requirements.txt"), (), (), None)


def test_pins_are_read_with_their_hashes_and_markers() -> None:
    """Names are normalised as in PEP 503, and constraints have no hashes."""
    read = parse(TEXT)

    assert read.pins["some-package"].hashes == ("sha256:aa", "sha256:bb")
    assert read.constraints == 'some-package==1.0 ; python_version > "3"\nother==2.0\n'
    assert (read.inputs, read.intact) == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.replace("\n", "\r\n"),
        "# a comment \\\nclick==8.1\n",
        "    # a comment \\\nclick==8.1\n",
        "click==8.1 \\\n# a comment\nweb==2.0\n",
        "click==\\\n8.1\n",
        "click==8.1 # a comment \\\nweb==2.0\nxray==1.5\n",
        "click==8.1 \\\n\nweb==2.0\n",
        "web==2.0\nclick==8.1 \\",
        "-r base.txt\n--index-url \\\n  https://host/simple\n-c pins.txt # why\n",
        "click==8.1#no-comment\n",
    ],
)
def test_lines_are_joined_as_pip_joins_them(text: str) -> None:
    """Continued lines, comments and options are read exactly as by pip."""
    wanted = [" ".join(line.split()) for _, line in preprocess(text)]

    assert [" ".join(line.split()) for line in lockfile.list_entries(text)] == wanted


def test_a_pin_after_a_comment_with_a_backslash_is_seen() -> None:
    """A comment never continues, so a package cannot hide behind one."""
    written = add_fingerprints(TEXT, None)
    edited = written + "# harmless \\\nevil==1.0\n"

    assert parse(written).intact is True
    assert parse(edited).intact is False
    assert "evil" in parse(edited).pins


def test_the_fingerprint_detects_edited_pins() -> None:
    """Comments and white space may change; a changed pin or hash is detected."""
    written = add_fingerprints(TEXT, "abc")

    assert parse(written).inputs == "abc"
    assert parse(written).intact is True
    assert parse(written.replace("# why", "#  because").replace("    --", "\t--")).intact is True
    assert parse(written.replace("\n", "\r\n")).intact is True
    assert parse(written.replace(":bb", ":bc")).intact is False
    assert parse(written.replace("2.0", "2.1")).intact is False
    assert parse(written + "other==2.0\n").intact is False


def test_hashes_of_an_edited_file_are_dropped() -> None:
    """A file that was edited, or not written by larp, keeps only its versions."""
    written = add_fingerprints(TEXT, None)

    assert salvage_pins(written)[0].hashes == ("sha256:aa", "sha256:bb")
    assert salvage_pins(written.replace("1.0", "1.1"))[0].hashes == ()
    assert salvage_pins(TEXT)[0].hashes == ()


def test_pins_are_salvaged_from_a_broken_file() -> None:
    """Lines that are not pins are skipped."""
    text = "<<<<<<< ours\n-r base.txt\nclick==8.1\nweb>=2\nx @ file:///x\ny==1.*\n\x00\n"

    assert [pin.requirement for pin in salvage_pins(text)] == ["click==8.1"]


def test_an_unreadable_line_is_not_shown() -> None:
    """The line may contain a password, so the error only counts it."""
    with pytest.raises(UnreadableLockFile) as caught:
        parse("click==8.1\nhttps://me:sesame@host/x.whl\n")

    assert caught.value.message == "its entry 2 is not a requirement"


@pytest.mark.parametrize(
    ("before", "after", "kind", "major"),
    [
        ("", "a==1.0", PinChangeKind.ADDED, False),
        ("a==1.0", "", PinChangeKind.REMOVED, False),
        ("a==1.9", "a==1.10", PinChangeKind.UPGRADED, False),
        ("a==2.0", "a==1.10", PinChangeKind.DOWNGRADED, True),
        ("a==1!1.0", "a==2.0", PinChangeKind.DOWNGRADED, True),
        ("a===one", "a==1", PinChangeKind.UPGRADED, True),
        ("a==1 --hash=sha256:aa", "a==1 --hash=sha256:bb", PinChangeKind.CHANGED, False),
        ("a==1", "a==1 ; python_version > '3'", PinChangeKind.CHANGED, False),
    ],
)
def test_a_change_has_a_kind(before: str, after: str, kind: PinChangeKind, major: bool) -> None:
    """Versions compare as in PEP 440, and a change of the first number is major."""
    found = lockfile.compare_lock_files(TARGET, parse(before), parse(after), rewritten=True)

    assert [(change.kind, change.major) for change in found.changes] == [(kind, major)]


def test_the_order_of_hashes_is_not_a_change() -> None:
    """Reordered hashes do not count as a change."""
    one, two = "a==1 --hash=sha256:aa --hash=sha256:bb", "a==1 --hash=sha256:bb --hash=sha256:aa"

    assert lockfile.compare_lock_files(TARGET, parse(one), parse(two), rewritten=True).changes == ()
