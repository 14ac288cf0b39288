"""``larp db reset``."""

from typing import Annotated

import typer

from larp_cli.cli.commands import DatabaseCommand, new_app
from larp_cli.cli.context import Context
from larp_cli.cli.option_groups import expand_options
from larp_cli.cli.options import NO_CONSENT, ConsentOptions

app = new_app()


@app.command(cls=DatabaseCommand)
@expand_options
def reset(
    ctx: typer.Context,
    seed: Annotated[
        bool, typer.Option("--seed", help="Also load the development data in seeds/.")
    ] = False,
    backup: Annotated[
        bool, typer.Option("--backup/--no-backup", help="Back up the schema first.")
    ] = True,
    consent: ConsentOptions = NO_CONSENT,
) -> None:
    """Back up the schema, drop it, and initialise it again.

    Shows what will be lost and asks for the database's name. Drops nothing outside the
    schema, and nothing at all if the backup fails.

    Examples:
      larp db reset
      larp db reset --confirm larp_manager --seed
    """
    from larp_cli.migrations.reset import reset as reset_schema

    larp: Context = ctx.obj
    larp.answer(
        reset_schema(
            larp.workspace,
            larp.guard(consent),
            backups=larp.backup_directory if backup else None,
            seeds=larp.seeds if seed else None,
        )
    )
