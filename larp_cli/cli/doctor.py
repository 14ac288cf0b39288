"""``larp doctor``."""

from typing import TYPE_CHECKING

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context
from larp_cli.errors import CommandFailed

if TYPE_CHECKING:
    from larp_cli.health.subject import Subject
    from larp_cli.postgres.database import Databases

app = new_app()


class DoctorCommand(DatabaseCommand):
    """Bounded by ``--timeout`` section by section, so that there is a report in any case."""

    deadline_by_alarm = False


@app.command(cls=DoctorCommand)
def doctor(ctx: typer.Context) -> None:
    """Report all that matters for a bug report, without a secret.

    Versions, machine, settings and where each comes from, the way to the database, the
    server's settings, schema and ledger, health. Where something cannot be found out the
    report says why, so it is of use when nothing else works; it ends with 0. Secrets are
    masked.

    Examples:
      larp doctor
      larp doctor --json
    """
    from larp_cli.doctor import Doctor

    larp: Context = ctx.obj

    def subject() -> "Subject":
        _require_database(larp)
        return larp.subject

    def databases() -> "Databases":
        _require_database(larp)
        return larp.databases

    larp.answer(
        Doctor(
            home=lambda: larp.settings.larp_home,
            databases=databases,
            project=lambda: larp.project,
            subject=subject,
            observer=larp.observer,
            timeout=larp.options.timeout,
        ).diagnose()
    )


def _require_database(larp: Context) -> None:
    """A report makes nothing: the embedded server is looked at where it has been made before.

    Raises:
        CommandFailed: No database is configured, and none was made.
    """
    if larp.settings.database_url is None and larp.embedded.status().version is None:
        raise CommandFailed("there is no embedded database yet", hint="larp db init")
