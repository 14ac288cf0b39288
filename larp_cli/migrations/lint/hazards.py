"""Find hazards: statements in pending revisions that can disturb a running service.

Squawk reads the SQL of each revision as it will run: in its transaction, or outside of it
where the revision says so. Not every rule of squawk's applies to what larp runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from larp_cli.migrations.lint.offline import Rendered
from larp_cli.migrations.lint.squawk import Violation, run_squawk
from larp_cli.migrations.lint.waivers import apply_waivers, read_waivers
from larp_cli.postgres.sql.tables import TableName, Tables, find_tables
from larp_cli.results import Hazard

NOT_RENDERED = "not-rendered"

_HANDLED_BY_LARP = {
    # larp sets both timeouts on the session, and another one for CONCURRENTLY.
    "require-lock-timeout",
    "require-statement-timeout",
    "require-timeout-settings",
    # Hazards are accepted by larp's waivers, which need a reason.
    "unused-ignore",
}
_DESIGN = {
    # The type of a column is decided and reviewed in the models. A new integer column does
    # not disturb anyone while the migration runs.
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-text-field",
    "prefer-timestamp-tz",
    "ban-char-field",
}
_ALSO_ON_NEW_TABLES = {
    # These fail or mislead whatever the table holds. All other rules are about locks, scans
    # and clients, and a table that the plan itself creates has none of them.
    "syntax-error",
    "ban-concurrent-index-creation-in-transaction",
    "ban-uncommitted-transaction",
    "transaction-nesting",
    "identifier-too-long",
}


@dataclass(frozen=True)
class Candidate:
    """A pending revision in which to find hazards."""

    path: Path
    rendered: Rendered

    @cached_property
    def tables(self) -> tuple[Tables, ...]:
        """The tables of each statement."""
        return tuple(find_tables(statement.sql) for statement in self.rendered.statements)


def find_hazards(
    squawk: Path,
    candidates: Sequence[Candidate],
    *,
    server_major: int,
    existing: Collection[TableName],
) -> list[tuple[Hazard, ...]]:
    """Find the hazards in the revisions of a plan; returns a tuple for each revision.

    Args:
        squawk: The program.
        candidates: The revisions, in the order in which they will run.
        server_major: The server's major version: newer ones lock less.
        existing: Tables that are there already, by the names that the SQL uses.

    Raises:
        CommandFailed: Squawk failed.
    """
    scripts = [_write_script(candidate.rendered) for candidate in candidates]
    reported = run_squawk(squawk, ["\n".join(script.lines) for script in scripts], server_major)
    created: set[TableName] = set()
    found: list[tuple[Hazard, ...]] = []
    for candidate, script, violations in zip(candidates, scripts, reported, strict=True):
        created.update(name for tables in candidate.tables for name in tables.created)
        located = [(item, script.statements[item.line]) for item in violations]
        hazards = _select_hazards(candidate, located, new=created.difference(existing))
        found.append(tuple(apply_waivers(hazards, read_waivers(candidate.path))))
    return found


@dataclass(frozen=True, slots=True)
class _Script:
    """What squawk reads of one revision."""

    lines: list[str]
    statements: list[int | None]
    """For each line the number of its statement; None for a line that larp adds."""

    def add(self, text: str, statement: int | None = None) -> None:
        for line in text.split("\n"):
            self.lines.append(line)
            self.statements.append(statement)


def _write_script(rendered: Rendered) -> _Script:
    """Write the statements of a revision in their transaction, or outside of it."""
    script = _Script([], [])
    script.add("BEGIN;")
    in_transaction = True
    for number, statement in enumerate(rendered.statements):
        if statement.in_transaction != in_transaction:
            in_transaction = statement.in_transaction
            script.add("BEGIN;" if in_transaction else "COMMIT;")
        # Squawk's own comments would waive a rule without a reason.
        script.add(statement.sql.replace("squawk-ignore", "squawk ignore"), number)
    if in_transaction:
        script.add("COMMIT;")
    return script


def _select_hazards(
    candidate: Candidate,
    violations: Sequence[tuple[Violation, int | None]],
    *,
    new: set[TableName],
) -> Iterator[Hazard]:
    """Turn the violations that matter to larp into hazards.

    Args:
        candidate: The revision.
        violations: Each with the number of its statement, if it has one.
        new: The tables that the plan creates, up to this revision.
    """
    rendered = candidate.rendered
    if rendered.incomplete is not None:
        yield Hazard(
            rule=NOT_RENDERED,
            message=f"not all of its SQL can be shown: {rendered.incomplete}",
            advice="Read the revision file.",
            statement=None,
            waived=None,
        )
    for violation, number in violations:
        if _is_expected(violation.rule, number, rendered):
            continue
        if violation.rule not in _ALSO_ON_NEW_TABLES and number is not None:
            if _touches_only(candidate.tables[number], new):
                continue
        yield Hazard(
            rule=violation.rule,
            message=violation.message,
            advice=violation.advice,
            statement=None if number is None else rendered.statements[number].sql,
            waived=None,
        )


def _is_expected(rule: str, number: int | None, rendered: Rendered) -> bool:
    """Tell whether larp deals with what a rule warns of, on whatever table."""
    if rule == "prefer-robust-stmts" and len(rendered.statements) == 1:
        # larp drops the invalid index that a CREATE INDEX CONCURRENTLY leaves when it fails,
        # and runs it again; with IF NOT EXISTS the invalid index would stay. Beside other
        # statements it cannot be repeated, because those are committed already.
        return number is not None and not rendered.statements[number].in_transaction
    return rule in _HANDLED_BY_LARP or rule in _DESIGN


def _touches_only(tables: Tables, new: set[TableName]) -> bool:
    """Tell whether a statement changes new tables, and surely no others."""
    return tables.complete and bool(tables.targets) and new.issuperset(tables.targets)
