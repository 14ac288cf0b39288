"""``larp requirements update``."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer

from larp_cli.cli.commands import LarpCommand, new_app
from larp_cli.cli.context import Context
from larp_cli.cli.option_groups import expand_options
from larp_cli.cli.options import HERE, Keep, ProjectDirectory, ResolverBackend

app = new_app()


@dataclass(frozen=True, slots=True)
class UpdateOptions:
    """What the command line says about an update."""

    project: ProjectDirectory = HERE
    upgrade: Annotated[
        bool, typer.Option("--upgrade", "-U", help="Bring every pin to the newest that fits.")
    ] = False
    upgrade_package: Annotated[
        list[str] | None,
        typer.Option("--upgrade-package", "-P", metavar="NAME", help="Only this one; repeatable."),
    ] = None
    generate_hashes: Annotated[
        bool,
        typer.Option("--generate-hashes/--no-generate-hashes", help="Pin by hash as well."),
    ] = True
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change, and write nothing.")
    ] = False
    backend: ResolverBackend = "pip-tools"
    keep: Keep = 5


@app.command(cls=LarpCommand)
@expand_options
def update(ctx: typer.Context, options: UpdateOptions) -> None:
    """Compile both lock files from pyproject.toml, or neither.

    The one for development is resolved first, and the main one within its pins, so that
    what both have is the same in both; the other way round where only that has a solution.
    What need not change stays. The files are checked before they are published, and kept as
    a backup. Which extras go into which file stands in [tool.larp.requirements].

    Examples:
      larp requirements update
      larp requirements update --dry-run
      larp requirements update -P typer -P rich
      larp requirements update --upgrade --project ../service
    """
    from larp_cli.cli.requirements.home import larp_home
    from larp_cli.requirements.backups import Backups
    from larp_cli.requirements.compiler import Backend, CompileOptions
    from larp_cli.requirements.update import update as compile_and_publish

    larp: Context = ctx.obj
    compiling = CompileOptions(
        backend=Backend(options.backend),
        hashes=options.generate_hashes,
        upgrade=options.upgrade,
        upgrade_packages=tuple(options.upgrade_package or ()),
    )
    larp.answer(
        compile_and_publish(
            options.project,
            larp.observer,
            options=compiling,
            backups=Backups(partial(larp_home, larp), options.project),
            keep=options.keep,
            dry_run=options.dry_run,
        )
    )
