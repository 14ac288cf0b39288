"""``larp db restore``."""

from pathlib import Path
from typing import Annotated

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.confirmation import typed_name
from larp_cli.cli.context import Context
from larp_cli.cli.options import AllowProduction, Confirm, Yes

app = new_app()


@app.command(cls=DatabaseCommand)
def restore(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `larp db backup` wrote.")],
    backup: Annotated[
        bool, typer.Option("--backup/--no-backup", help="Back up what is replaced first.")
    ] = True,
    no_owner: Annotated[
        bool, typer.Option("--no-owner", help="All belongs to who restores it.")
    ] = False,
    no_privileges: Annotated[
        bool, typer.Option("--no-privileges", help="Leave the grants in FILE out.")
    ] = False,
    confirm: Confirm = None,
    yes: Yes = False,
    allow_production: AllowProduction = False,
) -> None:
    """Put a backup in place of the schema, in one transaction.

    FILE is checked first: all of it can be read, and it holds this schema and no other. If
    anything fails, or larp is killed, nothing is changed. What is outside the schema is
    never touched.

    Examples:
      larp db restore before-upgrade.dump
      larp db restore before-upgrade.dump --confirm larp_manager
      larp db restore elsewhere.dump --no-owner --no-privileges
    """
    from larp_cli.migrations.backups import restore as put_back
    from larp_cli.migrations.guard import Consent

    larp: Context = ctx.obj
    given = {"--no-owner": no_owner, "--no-privileges": no_privileges}
    larp.answer(
        put_back(
            larp.databases.migration,
            larp.project,
            larp.observer,
            path=file,
            options=tuple(option for option, wanted in given.items() if wanted),
            consent=Consent(confirm=confirm, yes=yes, allow_production=allow_production),
            ask=typed_name(larp.terminal, quiet=larp.options.quiet),
            backups=larp.settings.larp_home / "backups" if backup else None,
            mutex_wait=larp.settings.migration_mutex_wait,
        )
    )
