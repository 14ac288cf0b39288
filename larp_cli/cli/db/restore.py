"""``larp db restore``."""

from pathlib import Path
from typing import Annotated

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context
from larp_cli.cli.option_groups import expand_options
from larp_cli.cli.options import NO_CONSENT, ConsentOptions

app = new_app()


@app.command(cls=DatabaseCommand)
@expand_options
def restore(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File that `larp db backup` wrote.")],
    backup: Annotated[
        bool, typer.Option("--backup/--no-backup", help="Back up the current schema first.")
    ] = True,
    no_owner: Annotated[
        bool, typer.Option("--no-owner", help="Make the current role the owner of everything.")
    ] = False,
    no_privileges: Annotated[
        bool, typer.Option("--no-privileges", help="Do not restore the grants in FILE.")
    ] = False,
    consent: ConsentOptions = NO_CONSENT,
) -> None:
    """Replace the schema with a backup, in one transaction.

    Checks first that FILE is complete and contains this schema only. Shows what will be
    lost and asks for the database's name. If anything fails, or larp is killed, nothing
    has changed. Never touches anything outside the schema.

    Examples:
      larp db restore before-upgrade.dump
      larp db restore before-upgrade.dump --confirm larp_manager
      larp db restore elsewhere.dump --no-owner --no-privileges
    """
    from larp_cli.migrations.backups import restore as put_back

    larp: Context = ctx.obj
    given = {"--no-owner": no_owner, "--no-privileges": no_privileges}
    larp.answer(
        put_back(
            larp.workspace,
            larp.guard(consent),
            path=file,
            options=tuple(option for option, wanted in given.items() if wanted),
            backups=larp.backup_directory if backup else None,
        )
    )
