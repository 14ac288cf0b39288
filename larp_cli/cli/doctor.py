"""``larp doctor``."""

from typing import TYPE_CHECKING

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context
from larp_cli.errors import CommandFailed

if TYPE_CHECKING:
    from larp_cli.health.target import HealthTarget
    from larp_cli.postgres.database import Databases

app = new_app()


class DoctorCommand(DatabaseCommand):
    """Applies ``--timeout`` to each section, so that there is always a report."""

    deadline_by_alarm = False


@app.command(cls=DoctorCommand)
def doctor(ctx: typer.Context) -> None:
    """Print a report for bug reports, with secrets masked.

    Versions, machine, settings and their sources, connections, server settings, schema,
    ledger and health. Works even if nothing else does: if something is not available, the
    report says why. Exits with 0.

    Examples:
      larp doctor
      larp doctor --json
    """
    from larp_cli.doctor import Doctor

    larp: Context = ctx.obj

    def target() -> "HealthTarget":
        _require_database(larp)
        return larp.health_target

    def databases() -> "Databases":
        _require_database(larp)
        return larp.databases

    larp.answer(
        Doctor(
            home=lambda: larp.settings.larp_home,
            databases=databases,
            project=lambda: larp.project,
            target=target,
            observer=larp.observer,
            timeout=larp.options.timeout,
        ).diagnose()
    )


def _require_database(larp: Context) -> None:
    """Do not create an embedded server for a report.

    Raises:
        CommandFailed: No database is configured, and none was made.
    """
    if larp.settings.database_url is None and larp.embedded.status().version is None:
        raise CommandFailed("there is no embedded database yet", hint="larp db init")
