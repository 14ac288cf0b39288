"""Which tables a statement touches, and what for, as PostgreSQL's parser sees it."""

from __future__ import annotations

import pytest

from larp_cli.postgres.sql.tables import TableName, Tables, find_tables


def named(text: str) -> set[TableName]:
    """Turn ``"a s.b"`` into the names of two tables."""
    names = [name.rpartition(".") for name in text.split()]
    return {(schema or None, table) for schema, _, table in names}


TARGETS = [
    ("ALTER TABLE hero ADD COLUMN x int", "hero"),
    ('alter table if exists only "S".Hero drop column x', "S.hero"),
    ("ALTER TABLE t OWNER TO someone", "t"),
    ("ALTER TABLE t SET SCHEMA other", "t"),
    ("ALTER TABLE t RENAME TO u", "t"),
    ("ALTER TABLE t RENAME COLUMN a TO b", "t"),
    ("ALTER TABLE t RENAME CONSTRAINT a TO b", "t"),
    ("ALTER TABLE t INHERIT parent", "t parent"),
    ("ALTER TABLE t ENABLE ROW LEVEL SECURITY", "t"),
    ("ALTER TABLE t ADD CONSTRAINT c NOT NULL a NOT VALID", "t"),  # new in version 18
    ("ALTER TABLE whole ATTACH PARTITION part DEFAULT", "whole part"),
    ("ALTER TABLE whole DETACH PARTITION s.part CONCURRENTLY", "whole s.part"),
    ("ALTER TABLE a ADD x int; ALTER TABLE b ADD x int", "a b"),
    ('CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "i x" ON s . t (a)', "s.t"),
    ("CREATE INDEX ON ONLY t (a)", "t"),
    ("DROP INDEX CONCURRENTLY a, s.b", "a s.b"),
    ("ALTER INDEX i RENAME TO j", "i"),
    ("ALTER INDEX i ATTACH PARTITION j", "i j"),
    ("REINDEX INDEX CONCURRENTLY i", "i"),
    ("REINDEX (VERBOSE) TABLE s.t", "s.t"),
    ("CREATE TRIGGER x BEFORE UPDATE OF a ON s.t FOR EACH ROW EXECUTE FUNCTION f()", "s.t"),
    ("ALTER TRIGGER x ON t RENAME TO y", "t"),
    ("DROP TRIGGER x ON s.t", "s.t"),
    ("CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO log SELECT * FROM src", "t"),
    ("DROP RULE r ON t", "t"),
    ("CREATE POLICY p ON t USING (true)", "t"),
    ("ALTER POLICY p ON t USING (true)", "t"),
    ("DROP POLICY p ON s.t", "s.t"),
    ("DROP TABLE IF EXISTS a, s.b CASCADE", "a s.b"),
    ("DROP VIEW v, w", "v w"),
    ("DROP MATERIALIZED VIEW m", "m"),
    ("DROP SEQUENCE q", "q"),
    ("DROP FOREIGN TABLE f", "f"),
    ("TRUNCATE TABLE a, only_b", "a only_b"),
    ("LOCK TABLE ONLY a, b IN SHARE MODE", "a b"),
    ("UPDATE ONLY t AS x SET a = 1 FROM u", "t"),
    ("WITH old AS (SELECT 1) DELETE FROM t USING old", "t"),
    ("WITH gone AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM gone", "a b"),
    ("INSERT INTO t (a) VALUES (1) ON CONFLICT DO UPDATE SET a = 2", "t"),
    ("MERGE INTO t USING u ON a = b WHEN MATCHED THEN DELETE", "t"),
    ("COPY t FROM '/tmp/x'", "t"),
    ("CREATE TABLE part PARTITION OF whole DEFAULT", "whole"),
    ("CREATE TABLE child () INHERITS (a, s.b)", "a s.b"),
    ("CREATE STATISTICS st ON a, b FROM t", "t"),
    ("CREATE OR REPLACE VIEW v AS SELECT * FROM t", "v"),
    ("ALTER VIEW v SET (security_barrier)", "v"),
    ("REFRESH MATERIALIZED VIEW CONCURRENTLY m", "m"),
    ("VACUUM (ANALYZE) a, b (c)", "a b"),
    ("ANALYZE s.t", "s.t"),
    ("CLUSTER t USING i", "t"),
    ("COMMENT ON TABLE s.t IS 'x'", "s.t"),
    ("COMMENT ON COLUMN s.t.c IS 'x'", "s.t"),
    ("COMMENT ON CONSTRAINT c ON t IS 'x'", "t"),
    ("SECURITY LABEL ON TABLE t IS 'x'", "t"),
    ("ALTER SEQUENCE q RESTART", "q"),
    ("ALTER EXTENSION e ADD TABLE t", "t"),
    ("CREATE PUBLICATION p FOR TABLE a, b", "a b"),
    ("EXPLAIN ANALYZE DELETE FROM t", "t"),
    ("PREPARE x AS DELETE FROM t", "t"),
]


@pytest.mark.parametrize(("sql", "targets"), TARGETS)
def test_what_is_changed_is_found(sql: str, targets: str) -> None:
    """Every table that is altered, filled, emptied, locked or dropped is named once."""
    found = find_tables(sql)

    assert set(found.targets) == named(targets)
    assert len(found.targets) == len(set(found.targets))
    assert found.complete


@pytest.mark.parametrize(
    "sql",
    [
        "GRANT UPDATE, TRUNCATE ON t TO reader",
        "SELECT * FROM t FOR UPDATE OF t",
        "COPY t TO '/tmp/x'",
        "-- ALTER TABLE a ADD x int\n/* DROP TABLE /* b */ c */ SELECT 1",
        "SELECT 'DROP TABLE a', $x$ DROP TABLE b $x$, E'\\'; DROP TABLE c; --'",
        "CREATE FUNCTION f() RETURNS void AS $$ DELETE FROM t $$ LANGUAGE sql",
        "CREATE FUNCTION f() RETURNS void BEGIN ATOMIC DELETE FROM t; END",
        "DO $$ BEGIN DELETE FROM t; END $$",
        "CREATE TYPE pair AS (a int, b int)",
        "ALTER TYPE pair ADD ATTRIBUTE c int",
        "ALTER TYPE pair RENAME ATTRIBUTE a TO b",
        "DROP FUNCTION f(int)",
        "DROP TYPE pair",
        "COMMENT ON FUNCTION f(int) IS 'x'",
        "IMPORT FOREIGN SCHEMA s LIMIT TO (t) FROM SERVER x INTO y",
        "SET lock_timeout = 1",
        "VACUUM",
        "",
        "-- nothing",
    ],
)
def test_what_is_not_changed_is_no_target(sql: str) -> None:
    """Neither what is only read or named, nor what stands in strings and bodies."""
    assert find_tables(sql).targets == ()


@pytest.mark.parametrize(
    ("sql", "referenced"),
    [
        ("CREATE TABLE a (b int REFERENCES c (id), d int REFERENCES s.e)", "c s.e"),
        ("CREATE TABLE a (b int, FOREIGN KEY (b) REFERENCES c)", "c"),
        ("ALTER TABLE a ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES c NOT VALID", "c"),
        ("ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES c NOT ENFORCED", "c"),  # new in 18
        ("ALTER TABLE a ADD COLUMN b int REFERENCES c", "c"),
        (
            "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON a FROM c FOR EACH ROW"
            " EXECUTE FUNCTION f()",
            "c",
        ),
        ("CREATE TABLE a (b int)", ""),
    ],
)
def test_what_a_foreign_key_points_at_is_referenced(sql: str, referenced: str) -> None:
    """A foreign key locks the other table as well, but does not change it."""
    found = find_tables(sql)

    assert set(found.referenced) == named(referenced)
    assert not set(found.targets) & named(referenced)


@pytest.mark.parametrize(
    ("sql", "created"),
    [
        ("CREATE UNLOGGED TABLE IF NOT EXISTS s.a (b int REFERENCES c (id))", "s.a"),
        ("CREATE TABLE part PARTITION OF whole DEFAULT", "part"),
        ("CREATE TABLE a AS SELECT * FROM b", "a"),
        ("SELECT * INTO a FROM b", "a"),
        ("CREATE MATERIALIZED VIEW a AS SELECT * FROM b", "a"),
        ("CREATE VIEW s.a AS SELECT * FROM b", "s.a"),
        ("CREATE SEQUENCE a", "a"),
        ("CREATE FOREIGN TABLE a (b int) SERVER x", "a"),
        ("CREATE INDEX i ON b (c)", ""),
    ],
)
def test_what_is_created_is_no_target(sql: str, created: str) -> None:
    """Nobody uses a new table yet, so nobody waits for it."""
    found = find_tables(sql)

    assert set(found.created) == named(created)
    assert not set(found.targets) & named(created)


@pytest.mark.parametrize(
    ("sql", "read"),
    [
        ("SELECT * FROM a, s.b JOIN c USING (x) LEFT JOIN d USING (x)", "a s.b c d"),
        ("SELECT (SELECT 1 FROM a) FROM (SELECT * FROM b) AS x, LATERAL f(x)", "a b"),
        ("SELECT * FROM a TABLESAMPLE system (1)", "a"),
        ("UPDATE t SET x = 1 FROM a WHERE EXISTS (SELECT FROM b)", "a b"),
        ("DELETE FROM t USING a", "a"),
        ("MERGE INTO t USING a ON x = y WHEN MATCHED THEN DELETE", "a"),
        ("CREATE VIEW v AS SELECT * FROM a UNION ALL SELECT * FROM b", "a b"),
        ("CREATE TABLE t (LIKE a INCLUDING ALL)", "a"),
        ("COPY (SELECT * FROM a) TO '/tmp/x'", "a"),
        ("CREATE POLICY p ON t USING (x IN (SELECT x FROM a))", "a"),
        ("GRANT SELECT ON a, s.b TO reader", "a s.b"),
        ("WITH x AS (SELECT * FROM a), y AS (SELECT * FROM x) SELECT * FROM y, x", "a"),
        ("WITH a AS (SELECT * FROM a) SELECT * FROM a", "a"),
        ("WITH RECURSIVE a AS (SELECT 1 UNION SELECT * FROM a) SELECT * FROM a", ""),
        ("WITH x AS (SELECT 1) SELECT * FROM public.x", "public.x"),
        ("SELECT * FROM (WITH x AS (SELECT 1) SELECT * FROM x) AS y, x", "x"),
    ],
)
def test_what_is_read_is_found_and_a_query_of_with_is_no_table(sql: str, read: str) -> None:
    """The tables behind FROM, LIKE and GRANT; a name that WITH gives hides the table."""
    assert set(find_tables(sql).read) == named(read)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("Hero", (None, "hero")),
        ('"Hero"', (None, "Hero")),
        ('"a""b"', (None, 'a"b')),
        ('"s.x"."t.y"', ("s.x", "t.y")),
        ('"Order -- of /* all */ days"', (None, "Order -- of /* all */ days")),
        ("s /* a /* b */ */ . -- c\n t", ("s", "t")),
        ("db.s.t", ("s", "t")),
        ("größe", (None, "größe")),
        ("ÄPFEL", (None, "Äpfel")),  # PostgreSQL folds ASCII alone
        ("表", (None, "表")),
        ('U&"d\\0061t\\+000061"', (None, "data")),
        ("t$1", (None, "t$1")),
        ("a" * 70, (None, "a" * 63)),
    ],
)
def test_names_are_as_the_catalog_has_them(written: str, stored: TableName) -> None:
    """Unquoted, unescaped, folded and cut as PostgreSQL itself does it."""
    assert find_tables(f"ALTER TABLE {written} ADD x int").targets == (stored,)
    assert find_tables(f"DROP TABLE {written}").targets == (stored,)


def test_a_statement_that_cannot_be_parsed_hides_no_other() -> None:
    """The tables of the others are found, and that there may be more is said."""
    found = find_tables("DROP TABLE a; ALTER TABEL b ADD x int; DROP TABLE c")

    assert found == Tables(targets=((None, "a"), (None, "c")), complete=False)


def test_a_long_insert_is_read_and_a_deep_query_is_not() -> None:
    """Ten thousand rows are no problem; fifty nested operators are one that is said."""
    rows = ",".join(f"({number}, 'x')" for number in range(10_000))
    deep = " || ".join(["'x'"] * 50)

    assert find_tables(f"INSERT INTO t VALUES {rows}") == Tables(targets=((None, "t"),))
    assert find_tables(f"INSERT INTO t SELECT {deep}") == Tables(complete=False)
