"""``larp db shell``."""

from typing import Annotated

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context
from larp_cli.cli.options import OutputFormat

CAPTURE_TIMEOUT = 300.0
"""Seconds that psql may take where its output is asked for as JSON."""

app = new_app()


@app.command(cls=DatabaseCommand)
def shell(
    ctx: typer.Context,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="PSQL_ARGUMENT", help="Arguments for psql.")
    ] = None,
    owner: Annotated[
        bool, typer.Option("--owner", help="Connect with DATABASE_MIGRATION_URL, if set.")
    ] = False,
) -> None:
    """Open psql on the configured database.

    Arguments after -- go to psql, and larp exits with psql's status. With --json, psql's
    output is the result. The schema is first in the search path, unless the role or the
    database sets its own search path.

    Examples:
      larp db shell
      larp db shell -- -c 'SELECT version()'
      larp db shell --owner
    """
    from larp_cli.postgres.shell import capture_shell, open_shell

    larp: Context = ctx.obj
    database = larp.databases.migration if owner else larp.databases.application
    schema = larp.settings.database_schema
    if larp.output is OutputFormat.JSON:
        timeout = larp.options.timeout or CAPTURE_TIMEOUT
        larp.answer(capture_shell(database, schema, arguments or (), timeout=timeout))
    else:
        raise typer.Exit(open_shell(database, schema, arguments or ()))
