"""Describes each result in parts that every text format can write."""

from __future__ import annotations

from functools import singledispatch

from larp_cli import results
from larp_cli.rendering import doctor, health, inspection, requirements
from larp_cli.rendering.document import Facts, Line, Part, Table, Verbatim
from larp_cli.units import format_bytes, format_count


@singledispatch
def describe(result: results.Result) -> list[Part]:
    """Describe a result in parts that every text format can write.

    Raises:
        TypeError: The result's type has no description.
    """
    raise TypeError(f"no description of {type(result).__name__}")


describe.register(inspection.describe_plan)
describe.register(inspection.describe_database_check)
describe.register(inspection.describe_revision_file)
describe.register(health.describe_health_report)
describe.register(health.describe_remote_health)
describe.register(health.describe_serving)
describe.register(doctor.describe_diagnosis)
describe.register(requirements.describe_requirements_update)
describe.register(requirements.describe_requirements_check)
describe.register(requirements.describe_requirements_rollback)


@describe.register
def _(status: results.MigrationStatus) -> list[Part]:
    server = status.server
    kind = " (embedded)" if server.embedded else " (standby)" if server.standby else ""
    rows = [
        ("server", f"PostgreSQL {server.version} on {server.host}{kind}"),
        ("database", f"{server.database} as {server.user}"),
        ("schema", status.schema if status.schema_exists else f"{status.schema} (missing)"),
        ("environment", status.environment or "not recorded"),
        ("state", status.state.value.replace("_", " ")),
        ("revision", _joined(status.current) or "none"),
        ("head", _joined(status.heads) or "none"),
        ("migration lock", _holders(status.lock_holders)),
    ]
    if status.unknown:
        rows.append(("unknown revisions", _joined(status.unknown)))
    if status.invalid_indexes:
        rows.append(("invalid indexes", _joined(status.invalid_indexes)))
    parts: list[Part] = [Facts(tuple(rows))]
    if status.pending:
        pending = tuple((item.revision, item.description) for item in status.pending)
        parts.append(Table("Pending", ("revision", "description"), pending))
    return parts


@describe.register
def _(migrated: results.Migrated) -> list[Part]:
    if not migrated.applied:
        return [Line(f"nothing to do: {migrated.database} is at {_at(migrated.after)}")]
    rows = tuple(
        (item.revision, item.description, _seconds(item.seconds)) for item in migrated.applied
    )
    return [
        Table("Applied", ("revision", "description", "time"), rows),
        Line(f"{migrated.database} is at {_at(migrated.after)}"),
    ]


@describe.register
def _(done: results.Initialised) -> list[Part]:
    parts: list[Part] = []
    if done.created_database:
        parts.append(Line(f"created the database {done.migrated.database}"))
    parts.extend(describe(done.migrated))
    if done.seeded is not None:
        parts.extend(describe(done.seeded))
    return parts


@describe.register
def _(seeded: results.Seeded) -> list[Part]:
    if seeded.already_loaded:
        count = format_count(seeded.already_loaded, "seed file")
        return [Line(f"already loaded: {count} for {seeded.environment} in {seeded.directory}")]
    if not seeded.files:
        return [Line(f"no seed files for {seeded.environment} in {seeded.directory}")]
    rows = tuple((item.name, _seconds(item.seconds)) for item in seeded.files)
    return [Table("Seeded", ("file", "time"), rows)]


@describe.register
def _(history: results.History) -> list[Part]:
    rows = tuple(
        (
            {True: "applied", False: "pending", None: "unknown"}[entry.applied],
            entry.revision,
            _at(entry.down_revisions),
            entry.created.strftime("%Y-%m-%d") if entry.created else "",
            entry.description + (" (head)" if entry.head else ""),
        )
        for entry in history.revisions
    )
    parts: list[Part] = [
        Table("Revisions", ("state", "revision", "after", "created", "description"), rows)
    ]
    if history.runs:
        columns = ("started", "revision", "direction", "outcome", "time", "by", "larp", "error")
        parts.append(Table("Ledger", columns, tuple(map(_run, history.runs))))
    return parts


@describe.register
def _(done: results.RolledBack) -> list[Part]:
    if not done.undone:
        return [Line(f"nothing to undo: {done.database} is at {_at(done.before)}")]
    rows = tuple((item.revision, item.description, _seconds(item.seconds)) for item in done.undone)
    return [
        Table("Undone", ("revision", "description", "time"), rows),
        Line(f"{done.database} is at {_at(done.after)}"),
    ]


@describe.register
def _(stamped: results.Stamped) -> list[Part]:
    if not stamped.changed:
        return [Line(f"nothing to do: {stamped.database} is already stamped {_at(stamped.after)}")]
    before, after = _at(stamped.before), _at(stamped.after)
    return [Line(f"stamped {stamped.database} {after} (before: {before})")]


@describe.register
def _(done: results.WasReset) -> list[Part]:
    parts: list[Part] = []
    if done.backup is not None:
        parts.append(Facts((("backup", _backup(done.backup)),)))
    if done.restore_command is not None:
        parts.append(Facts((("undo with", done.restore_command),)))
    tables = format_count(len(done.dropped), "table")
    parts.append(Line(f"dropped the schema {done.schema} ({tables})"))
    return [*parts, *describe(done.initialised)]


@describe.register
def _(done: results.BackedUp) -> list[Part]:
    rows = (("backup", _backup(done.backup)), ("restore with", done.restore_command))
    return [
        Facts(rows),
        Line(
            f"backed up the schema {done.schema} of {done.database} and read the file back"
            f" in {_seconds(done.seconds)}"
        ),
    ]


@describe.register
def _(done: results.Restored) -> list[Part]:
    rows = [("restored", _backup(done.source))]
    if done.backup is not None:
        rows.append(("old schema", _backup(done.backup)))
    if done.restore_command is not None:
        rows.append(("undo with", done.restore_command))
    replaced = format_count(len(done.replaced), "table")
    return [
        Facts(tuple(rows)),
        Line(
            f"replaced the schema {done.schema} ({replaced}) in {_seconds(done.seconds)};"
            f" {done.database} is at {_at(done.current)}"
        ),
    ]


@describe.register
def _(ready: results.DatabaseReady) -> list[Part]:
    server, waited = ready.server, _seconds(ready.waited_seconds)
    where = f"{server.database} on {server.host}"
    return [Line(f"{where} is ready after {waited} (PostgreSQL {server.version})")]


@describe.register
def _(shell: results.ShellOutput) -> list[Part]:
    return [Line(line) for line in shell.output.splitlines()]


@describe.register
def _(embedded: results.EmbeddedState) -> list[Part]:
    state = "running" if embedded.running else "stopped"
    rows = [
        ("embedded PostgreSQL", f"{state} until larp db stop" if embedded.kept else state),
        ("version", embedded.version or "unknown"),
        ("data", str(embedded.data_directory)),
    ]
    if embedded.url is not None:
        rows.append(("url", embedded.url))
    return [Facts(tuple(rows))]


@describe.register
def _(show: results.ConfigShow) -> list[Part]:
    if not any(item.origin for item in show.settings):
        return [Facts(tuple((item.name, item.value) for item in show.settings))]
    rows = tuple((item.name, item.value, item.origin) for item in show.settings)
    return [Table("", ("setting", "value", "origin"), rows)]


@describe.register
def _(check: results.ConfigCheck) -> list[Part]:
    parts: list[Part] = [Line(f"warning: {item.name}: {item.message}") for item in check.warnings]
    if not check.faults:
        parts.append(Line(f"all settings are valid (environment: {check.environment})"))
    return parts


@describe.register
def _(template: results.ConfigTemplate) -> list[Part]:
    return [Verbatim(template.text)]


@describe.register
def _(generated: results.GeneratedSecret) -> list[Part]:
    return [Verbatim(generated.secret)]


def _run(run: results.LedgerEntry) -> tuple[str, ...]:
    return (
        run.started_at.strftime("%Y-%m-%d %H:%M:%S %Z"),
        run.revision,
        run.direction,
        run.outcome,
        _seconds(run.seconds),
        f"{run.operator}@{run.host} as {run.database_user}",
        run.larp_version,
        run.error or "",
    )


def _joined(names: tuple[str, ...]) -> str:
    return ", ".join(names)


def _at(revisions: tuple[str, ...]) -> str:
    return _joined(revisions) or "base"


def _backup(backup: results.Backup) -> str:
    return f"{backup.path} ({format_bytes(backup.size)}, {format_count(backup.objects, 'object')})"


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _holders(holders: tuple[results.LockHolder, ...]) -> str:
    if not holders:
        return "free"
    return ", ".join(
        f"held by pid {holder.pid} ({holder.application or 'unnamed'}, {holder.user}),"
        f" connected for {_seconds(holder.since_seconds)}"
        for holder in holders
    )
