"""Which tables a statement touches, from its text alone."""

from __future__ import annotations

import pytest

from larp_cli.migrations.lint.tables import tables_in


@pytest.mark.parametrize(
    ("sql", "targets"),
    [
        ("ALTER TABLE hero ADD COLUMN x int", {(None, "hero")}),
        ('alter table if exists only "S".Hero drop column x', {("S", "hero")}),
        ('CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "i x" ON s . t (a)', {("s", "t")}),
        ("CREATE INDEX ON ONLY t (a)", {(None, "t")}),
        ("DROP INDEX CONCURRENTLY a, s.b", {(None, "a"), ("s", "b")}),
        ("DROP TABLE IF EXISTS a, b CASCADE", {(None, "a"), (None, "b")}),
        ("TRUNCATE TABLE a, only_b", {(None, "a"), (None, "only_b")}),
        ("UPDATE ONLY t AS x SET a = 1", {(None, "t")}),
        ("WITH old AS (SELECT 1) DELETE FROM t USING old", {(None, "t")}),
        ("INSERT INTO t (a) VALUES (1) ON CONFLICT DO UPDATE SET a = 2", {(None, "t")}),
        ("CREATE TRIGGER x BEFORE UPDATE OF a ON s.t FOR EACH ROW", {("s", "t")}),
        ("ALTER TABLE a ADD x int; ALTER TABLE b ADD x int", {(None, "a"), (None, "b")}),
        ("CREATE TABLE part PARTITION OF whole DEFAULT", {(None, "whole")}),
        ('ALTER TABLE "a""b" ADD x int', {(None, 'a"b')}),
        ("GRANT UPDATE, TRUNCATE ON t TO reader", set()),
        ("SELECT * FROM t FOR UPDATE", set()),
        ("-- ALTER TABLE a ADD x int\n/* DROP TABLE b */ SELECT 1", set()),
        ("SELECT 'DROP TABLE a', $x$ DROP TABLE b $x$", set()),
        ("CREATE FUNCTION f() RETURNS void AS $$ DELETE FROM t $$ LANGUAGE sql", set()),
    ],
)
def test_what_is_changed_is_found(sql: str, targets: set[tuple[str | None, str]]) -> None:
    """Every table that is altered, filled, emptied or dropped is named once, as stored."""
    assert set(tables_in(sql).targets) == targets


def test_tables_that_are_created_or_referenced_are_told_apart() -> None:
    """A new table is no target; what its foreign keys point at is locked all the same."""
    touched = tables_in("CREATE UNLOGGED TABLE IF NOT EXISTS s.a (b int REFERENCES c (id))")

    assert touched.targets == ()
    assert touched.created == (("s", "a"),)
    assert touched.referenced == ((None, "c"),)
