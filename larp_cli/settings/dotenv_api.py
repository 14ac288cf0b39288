"""What larp uses of python-dotenv beyond its documentation: the parser.

The documented functions skip a line that they cannot parse with no more than a warning. The
contract is tested in ``tests/unit/settings/test_dotenv_api.py``.
"""

from __future__ import annotations

from typing import TextIO

from dotenv.parser import parse_stream


def find_unparsable_lines(stream: TextIO) -> list[int]:
    """Return the numbers of the lines that python-dotenv cannot parse, counted from 1."""
    return [binding.original.line for binding in parse_stream(stream) if binding.error]
