"""Contract with python-dotenv: its parser says which lines it cannot parse."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

from larp_cli.settings.dotenv_api import find_unparsable_lines


def test_a_line_without_an_equals_sign_is_unparsable() -> None:
    """The line's own number is returned, also after a value of several lines."""
    text = "DEBUG=true\nKEY='one\ntwo'\nSECRET_KEY \"sesame\"\n# a comment\n\nPORT = 1\n"

    assert find_unparsable_lines(StringIO(text)) == [4]


def test_a_name_without_a_value_is_parsable() -> None:
    """A bare name is a statement of its own, and `export` is allowed."""
    assert find_unparsable_lines(StringIO("NAME\nexport OTHER=1\n")) == []


def test_the_documented_reader_skips_what_the_parser_reports(tmp_path: Path) -> None:
    """Parser and `dotenv_values` agree on which lines count."""
    file = tmp_path / ".env"
    file.write_text("A=1\n'B' 2\nC=3\n")

    with file.open() as stream:
        assert find_unparsable_lines(stream) == [2]
    assert dotenv_values(file) == {"A": "1", "C": "3"}
