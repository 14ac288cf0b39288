"""Which statements of a revision the session treats specially."""

from __future__ import annotations

import pytest

from larp_cli.migrations.run.special_statements import (
    LONGEST_PARSED,
    ORDINARY,
    Special,
    WaitKind,
    recognise,
)
from larp_cli.postgres.sql.effects import Detachment, IndexBuild
from tests.imports import modules_after


@pytest.mark.parametrize(
    ("query", "special"),
    [
        (
            "CREATE INDEX CONCURRENTLY i ON s.t (a) WHERE b LIKE '%%x'",
            Special(wait=WaitKind.BLOCKS_NOBODY, builds=IndexBuild("i", ("s", "t"))),
        ),
        ("DROP INDEX CONCURRENTLY i", Special(wait=WaitKind.BLOCKS_NOBODY)),
        (
            "ALTER TABLE p DETACH PARTITION c CONCURRENTLY",
            Special(wait=WaitKind.MAY_BLOCK, detaches=Detachment((None, "p"), (None, "c"))),
        ),
        ("SET lock_timeout = %s", Special(changes_settings=True)),
        ("SELECT set_config('statement_timeout', %(a)s, false)", Special(changes_settings=True)),
        ("SET LOCAL ROLE app", Special(changes_role=True)),
        (
            "CREATE TABLE t (); SET ROLE app; SET synchronous_commit = off",
            Special(changes_settings=True, changes_role=True),
        ),
        ("SELECT set_config(%s, 'x', false)", Special(changes_settings=True, changes_role=True)),
        ("RESET ALL", Special(changes_settings=True, changes_role=True)),
        ('SET U&"lock_timeou\\0074" = 0', Special(changes_settings=True)),
        ('SET U&"rol\\0065" = app', Special(changes_role=True)),
    ],
)
def test_what_matters_is_recognised(query: str, special: Special) -> None:
    """With psycopg's placeholders in it, and whatever else it does."""
    assert recognise(query) == special


@pytest.mark.parametrize(
    "query",
    [
        "ALTER TABLE t ADD COLUMN role text",
        "CREATE INDEX i ON t (a) -- not CONCURRENTLY",
        "INSERT INTO t VALUES ('SET ROLE x; RESET ALL; lock_timeout', %s)",
        "CREATE TABLE jobs (lock_timeout int, password_reset_at date)",
        "GRANT SELECT ON t TO role_of_app",
        "CREATE INDEX CONCURRENTLY i ON t (a); SELECT 1",  # PostgreSQL refuses it
        "SELECT 1",
        "",
    ],
)
def test_what_only_holds_the_words_is_ordinary(query: str) -> None:
    """A column, a string or a comment of that name changes nothing."""
    assert recognise(query) == ORDINARY


@pytest.mark.parametrize(
    ("query", "special"),
    [
        ("REPACK (CONCURRENTLY) t", Special(wait=WaitKind.MAY_BLOCK)),
        ("SELEC 1; SET lock_timeout = 1", Special(changes_settings=True)),
        ("SELEC 1; SET /* x */ ROLE app", Special(changes_role=True)),
        ("SELECT 1" + "+1" * 50 + ", 'role'", ORDINARY),
        ("DO $$ BEGIN SET ROLE app; END $$", Special(changes_role=True)),
        ("DO $$ BEGIN CREATE ROLE app; END $$", ORDINARY),
        ("DO $$ BEGIN RESET ALL; END $$ -- CONCURRENTLY", Special(changes_settings=True)),
        (
            "DO $$ BEGIN PERFORM set_config('role', 'x', true); END $$",
            Special(changes_settings=True, changes_role=True),
        ),
        (
            f"INSERT INTO t VALUES ('lock_timeout CONCURRENTLY {'x' * LONGEST_PARSED}')",
            Special(changes_settings=True),
        ),
    ],
)
def test_what_cannot_be_read_may_do_what_its_words_say(query: str, special: Special) -> None:
    """Broken or newer SQL, code in strings, and data too long to parse."""
    assert recognise(query) == special


def test_the_parser_is_imported_only_for_a_word_that_matters() -> None:
    """A run of ordinary revisions does not pay for it."""
    program = "from larp_cli.migrations.run.special_statements import recognise; recognise({!r})"

    assert "postgast" not in modules_after(program.format("ALTER TABLE t ADD x int"))
    assert "postgast" in modules_after(program.format("SET ROLE app"))
