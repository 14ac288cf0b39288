"""Table sizes by name: estimates from the catalog, without locking the tables.

``pg_total_relation_size`` would be exact, but it locks the table and waits behind an exclusive
lock.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from larp_cli.results import TouchedTable

if TYPE_CHECKING:
    import psycopg

SIZES_BY_NAME = """
WITH RECURSIVE written AS (
    SELECT DISTINCT * FROM unnest(%s::text[], %s::text[]) AS w (schema, name)
), named AS (
    SELECT w.schema, w.name, coalesce(i.indrelid, c.oid) AS root
    FROM written w
    JOIN pg_class c ON c.relname = w.name AND c.relkind IN ('r', 'p', 'm', 'i', 'I')
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_index i ON i.indexrelid = c.oid
    WHERE n.nspname = w.schema OR w.schema IS NULL AND pg_table_is_visible(c.oid)
), tree AS (
    SELECT root, root AS part FROM named
    UNION
    SELECT t.root, h.inhrelid FROM tree t JOIN pg_inherits h ON h.inhparent = t.part
), pages AS (
    SELECT t.root, c.oid, c.reltuples, greatest(c.relpages, 0)
           + coalesce((SELECT sum(o.relpages) FROM pg_class o
                       WHERE o.oid = c.reltoastrelid
                          OR o.oid IN (SELECT x.indexrelid FROM pg_index x
                                       WHERE x.indrelid IN (c.oid, c.reltoastrelid))), 0) AS pages
    FROM tree t
    JOIN pg_class c ON c.oid = t.part AND c.relkind IN ('r', 'm')
), sizes AS (
    SELECT root, sum(reltuples) FILTER (WHERE reltuples >= 0) AS rows,
           sum(pages) FILTER (WHERE reltuples >= 0) AS pages
    FROM pages GROUP BY root
)
SELECT d.schema, d.name, format('%%I.%%I', n.nspname, c.relname), s.rows::bigint,
       (s.pages * current_setting('block_size')::int)::bigint
FROM named d
JOIN pg_class c ON c.oid = d.root
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN sizes s ON s.root = d.root
"""


def find_named_tables(
    connection: psycopg.Connection, names: Iterable[tuple[str | None, str]]
) -> dict[tuple[str | None, str], TouchedTable]:
    """Return the tables that exist among these names. The name of an index finds its table."""
    written = list(names)
    rows = connection.execute(
        SIZES_BY_NAME, ([schema for schema, _ in written], [name for _, name in written])
    )
    return {
        (schema, name): TouchedTable(name=full, estimated_rows=estimate, estimated_bytes=size)
        for schema, name, full, estimate, size in rows
    }
