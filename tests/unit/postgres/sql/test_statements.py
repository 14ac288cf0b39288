"""Splitting scripts into statements, and what happens with text that is no SQL."""

from __future__ import annotations

import subprocess
import sys

import pytest

from larp_cli.postgres.sql.parser import LONGEST, NotParsed, parse_sql
from larp_cli.postgres.sql.statements import read_statements, replace_placeholders

ATOMIC = (
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC"
    " SELECT CASE WHEN (true) THEN 1 END; SELECT 2; END"
)
RULE = "CREATE RULE r AS ON INSERT TO a DO (DELETE FROM b; DELETE FROM c)"
BODY = "CREATE FUNCTION g() RETURNS void LANGUAGE plpgsql AS $x$ BEGIN; END; $x$"
PIECES = ["SELECT 'ä;', \"ö;\", E'\\';'", ATOMIC, RULE, BODY, "SELECT 1"]
UNREADABLE = "SELEC 1"


@pytest.mark.parametrize("pieces", [PIECES, [*PIECES, UNREADABLE], [UNREADABLE, *PIECES]])
def test_a_script_is_split_where_statements_end(pieces: list[str]) -> None:
    """No semicolon in a string, a comment or a body ends one; positions count characters."""
    between = " ;\n-- ü; SELECT 1;\n/* /* ; */ ; SELECT 1 */; ;\n"
    script = between + between.join(pieces)
    found = list(read_statements(script))

    assert [statement.text for statement in found] == pieces
    assert [script[item.start :][: len(item.text)] for item in found] == pieces
    assert [item.text for item in found if not item.is_known] == [
        piece for piece in pieces if piece == UNREADABLE
    ]


@pytest.mark.parametrize("script", ["", " \n", ";;", "-- nothing", "/* nothing */ ;"])
def test_a_script_may_hold_no_statement(script: str) -> None:
    """Blanks, semicolons and comments alone are none."""
    assert list(read_statements(script)) == []


@pytest.mark.parametrize(
    "script",
    [
        "SELECT 'x; DROP TABLE a",
        "SELECT $x$; DROP TABLE a",
        'DROP TABLE "a; DROP TABLE b',
        "DROP TABLE a; /* SELECT",
        "SELECT 1\0; DROP TABLE a",
        "SELECT '\udc80'",
        "SELECT " + "(" * 20_000,
        "SELECT " + "- " * 20_000 + "1",
        "SELECT 1" + " + 1" * 50,
        "SELECT %s",
        "\\i other.sql",
    ],
)
def test_what_cannot_be_read_is_one_unknown_statement(script: str) -> None:
    """Nothing is known about it, and nothing fails."""
    (statement,) = read_statements(script)

    assert not statement.is_known
    assert statement.text == script


def test_one_statement_too_long_to_parse_leaves_the_others_known() -> None:
    """The tree of a huge statement would take more memory than its tables are worth."""
    huge = f"INSERT INTO t VALUES ('{'x' * LONGEST}')"
    found = list(read_statements(f"DROP TABLE a; {huge}; DROP TABLE b"))

    assert [statement.is_known for statement in found] == [True, False, True]


def test_no_nesting_crashes_the_process() -> None:
    """libpg_query recurses without a limit: the stack is made large enough."""
    program = (
        "from larp_cli.postgres.sql.statements import read_statements\n"
        "print(len(list(read_statements('SELECT 1' + '+1' * 50_000))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)

    assert (done.returncode, done.stdout) == (0, b"1\n")


def test_why_a_text_is_refused_is_said() -> None:
    """The parser's own words for a syntax error, ours for the rest."""
    with pytest.raises(NotParsed, match='syntax error at or near "SELEC"'):
        parse_sql("SELEC 1")
    with pytest.raises(NotParsed, match="nested too deeply"):
        parse_sql("SELECT 1" + "+1" * 50)
    with pytest.raises(NotParsed, match="characters"):
        parse_sql("-" * (LONGEST + 1))


@pytest.mark.parametrize(
    ("query", "sql"),
    [
        ("SELECT %s, %(name)s, %b, %(two words)t", "SELECT $1, $2, $3, $4"),
        ("SELECT '100 %%', 5 %% 3", "SELECT '100 %', 5 % 3"),
        ("SELECT %%s, %%(x)s, %%%s", "SELECT %s, %(x)s, %$1"),
        ("SELECT %(a)s::int, '%s'", "SELECT $1::int, '$2'"),
        ("SELECT 5 % 3", "SELECT 5 % 3"),
    ],
)
def test_placeholders_become_parameters(query: str, sql: str) -> None:
    """As psycopg does it: wherever they stand, and a doubled sign is one."""
    assert replace_placeholders(query) == sql
