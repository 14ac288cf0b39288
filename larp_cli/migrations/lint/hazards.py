"""What in pending SQL may hurt a running service, as squawk sees it.

Squawk reads the SQL of each revision as it would run: in its transaction, and outside of
it where the revision says so. https://squawkhq.com/docs/rules
"""

from __future__ import annotations

import re
import tokenize
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from larp_cli.migrations.lint.offline import Rendered
from larp_cli.migrations.lint.squawk import Violation, lint
from larp_cli.postgres.sql.tables import TableName, Tables, find_tables
from larp_cli.results import Hazard, PlannedStatement

NOT_RENDERED = "not-rendered"
WAIVER_WITHOUT_REASON = "waiver-without-reason"

_HANDLED_BY_LARP = {
    # larp sets both on the session, and gives CONCURRENTLY a timeout of its own.
    "require-lock-timeout",
    "require-statement-timeout",
    "require-timeout-settings",
    # Ours is the way to accept a hazard, with its reason; squawk's own comments are defused.
    "unused-ignore",
}
_DESIGN = {
    # Which type a column has is decided, and reviewed, in the models. A new integer column
    # hurts nobody while the migration runs.
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-text-field",
    "prefer-timestamp-tz",
    "ban-char-field",
}
_ALSO_ON_NEW_TABLES = {
    # These fail or mislead whatever the table holds. All other rules are about locks, scans
    # and clients, which a table that the plan itself creates cannot have.
    "syntax-error",
    "ban-concurrent-index-creation-in-transaction",
    "ban-uncommitted-transaction",
    "transaction-nesting",
    "identifier-too-long",
}
_WAIVER = re.compile(r"#\s*larp:\s*allow\s+(?P<rule>[\w-]+)\s*(?::\s*(?P<reason>.*?))?\s*$")


@dataclass(frozen=True)
class Suspect:
    """A pending revision that is to be looked at."""

    path: Path
    rendered: Rendered

    @cached_property
    def tables(self) -> tuple[Tables, ...]:
        """The tables of each statement."""
        return tuple(find_tables(statement.sql) for statement in self.rendered.statements)


def find_hazards(
    squawk: Path,
    suspects: Sequence[Suspect],
    *,
    server_major: int,
    existing: Collection[TableName],
) -> list[tuple[Hazard, ...]]:
    """Look for hazards in the revisions of a plan; one tuple for each.

    Args:
        squawk: The program.
        suspects: The revisions in the order in which they would run.
        server_major: The server's major version: newer ones lock less.
        existing: Tables that are there already, by the names that the SQL uses.

    Raises:
        CommandFailed: Squawk failed.
    """
    scripts = [_script(item.rendered) for item in suspects]
    reported = lint(squawk, ["\n".join(script.lines) for script in scripts], server_major)
    created: set[TableName] = set()
    found: list[tuple[Hazard, ...]] = []
    for suspect, script, violations in zip(suspects, scripts, reported, strict=True):
        created.update(name for tables in suspect.tables for name in tables.created)
        located = [(item, script.statements[item["line"]]) for item in violations]
        hazards = _hazards(suspect, located, new=created.difference(existing))
        found.append(tuple(_with_waivers(hazards, suspect.path)))
    return found


@dataclass(frozen=True, slots=True)
class _Script:
    """What squawk reads of one revision."""

    lines: list[str]
    statements: list[int | None]
    """For each line the number of its statement; None for a line of ours."""

    def add(self, text: str, statement: int | None = None) -> None:
        for line in text.split("\n"):
            self.lines.append(line)
            self.statements.append(statement)


def _script(rendered: Rendered) -> _Script:
    """Write the statements down in their transaction, or outside of it."""
    script = _Script([], [])
    script.add("BEGIN;")
    in_transaction = True
    for number, statement in enumerate(rendered.statements):
        if statement.in_transaction != in_transaction:
            in_transaction = statement.in_transaction
            script.add("BEGIN;" if in_transaction else "COMMIT;")
        # A waiver of squawk's own would need no reason.
        script.add(statement.sql.replace("squawk-ignore", "squawk ignore"), number)
    if in_transaction:
        script.add("COMMIT;")
    return script


def _hazards(
    suspect: Suspect,
    violations: Sequence[tuple[Violation, int | None]],
    *,
    new: Collection[TableName],
) -> Iterator[Hazard]:
    if suspect.rendered.incomplete is not None:
        yield Hazard(
            rule=NOT_RENDERED,
            message=f"not all of its SQL could be looked at: {suspect.rendered.incomplete}",
            advice="read the revision",
            statement=None,
            waived=None,
        )
    for violation, number in violations:
        rule = violation["rule_name"]
        statement = None if number is None else suspect.rendered.statements[number]
        tables = None if number is None else suspect.tables[number]
        if _applies(rule, statement, suspect.rendered, on_new=_all_new(tables, new)):
            yield Hazard(
                rule=rule,
                message=violation["message"],
                advice=violation["help"],
                statement=statement.sql if statement else None,
                waived=None,
            )


def _applies(
    rule: str, statement: PlannedStatement | None, rendered: Rendered, *, on_new: bool
) -> bool:
    if rule in _HANDLED_BY_LARP or rule in _DESIGN:
        return False
    if rule == "prefer-robust-stmts" and len(rendered.statements) == 1:
        # A lone CREATE INDEX CONCURRENTLY that fails leaves an invalid index, which larp drops
        # before it tries again; IF NOT EXISTS would take the invalid one for done. With other
        # statements beside it, what was committed stands in the way of the next try.
        return statement is None or statement.in_transaction
    return not on_new or rule in _ALSO_ON_NEW_TABLES


def _all_new(tables: Tables | None, new: Collection[TableName]) -> bool:
    """Tell whether a statement changes new tables, and surely no others."""
    if tables is None or not tables.complete or not tables.targets:
        return False
    return all(name in new for name in tables.targets)


def _with_waivers(hazards: Iterator[Hazard], path: Path) -> Iterator[Hazard]:
    waivers = dict(_waivers_in(path))
    for hazard in hazards:
        yield replace(hazard, waived=waivers.get(hazard.rule) or None)
    for rule, reason in waivers.items():
        if not reason:
            yield Hazard(
                rule=WAIVER_WITHOUT_REASON,
                message=f"the waiver of {rule} gives no reason, and does not count",
                advice=f"# larp: allow {rule}: the reason",
                statement=None,
                waived=None,
            )


def _waivers_in(path: Path) -> Iterator[tuple[str, str]]:
    """Read the comments ``# larp: allow RULE: REASON`` of a revision file."""
    if path.suffix != ".py":  # sourceless
        return
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            if token.type == tokenize.COMMENT and (match := _WAIVER.match(token.string)):
                yield match["rule"], match["reason"] or ""
