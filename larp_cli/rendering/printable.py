"""Text of a database or a user, made safe to show: nothing in it steers a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Replace control characters by spaces; line breaks stay."""
    return "".join(
        character if character.isprintable() or character == "\n" else " " for character in text
    )


def one_line(value: str) -> str:
    """Fold line breaks, tabs and runs of spaces, and replace control characters."""
    return printable(" ".join(value.split()))
