"""What statements do to session and transaction, and what runs CONCURRENTLY."""

from __future__ import annotations

import pytest

from larp_cli.postgres.sql.effects import (
    ANY_SETTING,
    Detachment,
    Effects,
    IndexBuild,
    find_effects,
)
from larp_cli.postgres.sql.statements import read_statements


def effects(sql: str) -> Effects:
    """Return the effects of one statement that can be read."""
    (statement,) = read_statements(sql)
    found = find_effects(statement)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("sql", "concurrent"),
    [
        ("CREATE INDEX CONCURRENTLY i ON t (a)", True),
        ("create unique index /* x */ concurrently on t (a)", True),
        ("DROP INDEX CONCURRENTLY IF EXISTS i", True),
        ("REINDEX INDEX CONCURRENTLY i", True),
        ("REINDEX (VERBOSE, CONCURRENTLY) SCHEMA s", True),
        ("REINDEX (CONCURRENTLY TRUE) TABLE t", True),
        ("REINDEX (CONCURRENTLY 1) TABLE t", True),
        ("REINDEX (CONCURRENTLY off) TABLE t", False),
        ("REINDEX (CONCURRENTLY 0) TABLE t", False),
        ("REINDEX (VERBOSE) TABLE t", False),
        ("CREATE INDEX i ON t (a) -- CONCURRENTLY", False),
        ('CREATE INDEX i ON t ("concurrently")', False),
        ("DROP TABLE t", False),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY m", False),
    ],
)
def test_work_on_indexes_without_locks_is_recognised(sql: str, concurrent: bool) -> None:
    """The word has to stand where it means that."""
    assert effects(sql).concurrent_index is concurrent


@pytest.mark.parametrize(
    ("sql", "build"),
    [
        ('CREATE INDEX CONCURRENTLY "I" ON s.t (a)', IndexBuild("I", ("s", "t"))),
        ("CREATE UNIQUE INDEX IF NOT EXISTS i ON ONLY T (a)", IndexBuild("i", (None, "t"))),
        ("CREATE INDEX ON t USING gin (a)", IndexBuild(None, (None, "t"))),
        ("DROP INDEX i", None),
    ],
)
def test_which_index_is_built_on_which_table(sql: str, build: IndexBuild | None) -> None:
    """Its name, if it has one, and the table's, as the catalog has them."""
    assert effects(sql).builds == build


def test_only_a_concurrent_detaching_is_one() -> None:
    """Parent and partition are named; other forms of ALTER TABLE are no detaching."""
    found = effects('ALTER TABLE IF EXISTS "P" DETACH PARTITION s.c CONCURRENTLY')

    assert found.detaches == Detachment(parent=(None, "P"), partition=("s", "c"))
    for sql in (
        "ALTER TABLE p DETACH PARTITION c",
        "ALTER TABLE p DETACH PARTITION c FINALIZE",
        "ALTER TABLE p ATTACH PARTITION c DEFAULT",
        "ALTER TABLE p ADD x int",
    ):
        assert effects(sql).detaches is None


@pytest.mark.parametrize(
    ("sql", "settings"),
    [
        ("SET lock_timeout = '1s'", {"lock_timeout"}),
        ('SET LOCAL "Statement_Timeout" TO DEFAULT', {"statement_timeout"}),
        ("RESET synchronous_commit", {"synchronous_commit"}),
        ("SET ROLE someone", {"role"}),
        ("SET LOCAL ROLE NONE", {"role"}),
        ("SET role TO 'someone'", {"role"}),
        ("SET SESSION AUTHORIZATION someone", {"session_authorization"}),
        ("RESET ALL", {ANY_SETTING}),
        ("DISCARD ALL", {ANY_SETTING}),
        ("DISCARD PLANS", set()),
        ("SELECT set_config('Lock_Timeout', '1', false)", {"lock_timeout"}),
        ("SELECT pg_catalog.set_config(E'ro\\x6ce', $1, true)", {"role"}),
        ("SELECT 1 FROM t WHERE set_config($1, 'x', false) = 'x'", {ANY_SETTING}),
        ("SELECT set_config(setting_name => 'role', value => 'x')", {ANY_SETTING}),
        ("INSERT INTO t SELECT set_config('a.b', '1', true)", {"a.b"}),
        ("UPDATE pg_settings SET setting = '1' WHERE name = 'lock_timeout'", {ANY_SETTING}),
        ("ALTER ROLE x SET lock_timeout = 1", set()),
        ("CREATE VIEW v AS SELECT set_config('role', 'x', true)", set()),
        ("ALTER TABLE t ADD lock_timeout int", set()),
        ("UPDATE t SET role = 'x'", set()),
        ("SELECT 'SET lock_timeout = 1; RESET ALL'", set()),
    ],
)
def test_settings_that_change_for_the_session_are_named(sql: str, settings: set[str]) -> None:
    """By SET, RESET, DISCARD and set_config(), and through pg_settings."""
    assert effects(sql).settings == settings


@pytest.mark.parametrize(
    ("sql", "controls"),
    [
        ("BEGIN", True),
        ("START TRANSACTION READ ONLY", True),
        ("COMMIT AND CHAIN", True),
        ("END", True),
        ("ROLLBACK", True),
        ("ABORT", True),
        ("PREPARE TRANSACTION 'x'", True),
        ("COMMIT PREPARED 'x'", True),
        ("ROLLBACK PREPARED 'x'", True),
        ("SAVEPOINT a", False),
        ("ROLLBACK TO a", False),
        ("RELEASE a", False),
        ("SET CONSTRAINTS ALL IMMEDIATE", False),
        ("SET TRANSACTION READ ONLY", False),
        ("PREPARE x AS SELECT 1", False),
        ("DO $$ BEGIN COMMIT; END $$", False),
    ],
)
def test_the_ends_of_a_transaction_are_recognised(sql: str, controls: bool) -> None:
    """Savepoints stay within it, as does what only looks at the constraints."""
    assert effects(sql).controls_transaction is controls


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("DO $$ BEGIN END $$", True),
        ("CREATE FUNCTION f() RETURNS void AS $$ SELECT $$ LANGUAGE sql", True),
        ("CREATE OR REPLACE PROCEDURE p() AS $$ SELECT $$ LANGUAGE sql", True),
        ("SELECT $$ SET ROLE x $$", False),
    ],
)
def test_code_in_strings_is_said_to_be_there(sql: str, code: bool) -> None:
    """Its effects cannot be known."""
    assert effects(sql).carries_code is code


def test_nothing_is_known_about_what_cannot_be_read() -> None:
    """Not even that it has no effects."""
    (statement,) = read_statements("REPACK (CONCURRENTLY) t")

    assert find_effects(statement) is None
