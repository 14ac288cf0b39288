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
    """The options of ``larp requirements update``."""

    project: ProjectDirectory = HERE
    upgrade: Annotated[bool, typer.Option("--upgrade", "-U", help="Upgrade every package.")] = False
    upgrade_package: Annotated[
        list[str] | None,
        typer.Option(
            "--upgrade-package", "-P", metavar="NAME", help="Upgrade only this package. Repeatable."
        ),
    ] = None
    generate_hashes: Annotated[
        bool,
        typer.Option("--generate-hashes/--no-generate-hashes", help="Include hashes."),
    ] = True
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change. Writes nothing.")
    ] = False
    backend: ResolverBackend = "pip-tools"
    keep: Keep = 5


@app.command(cls=LarpCommand)
@expand_options
def update(ctx: typer.Context, options: UpdateOptions) -> None:
    """Compile both lock files from pyproject.toml, or neither.

    Packages in both files get the same version: larp resolves the development file first,
    then the main file within its pins, or the other way round if only that has a
    solution. Pins stay unless they must change. larp checks the files before it writes
    them, and keeps the old ones as a backup. [tool.larp.requirements] says which extras
    go into which file.

    Examples:
      larp requirements update
      larp requirements update --dry-run
      larp requirements update -P typer -P rich
      larp requirements update --upgrade --project ../service
    """
    from larp_cli.cli.requirements.home import find_larp_home
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
            backups=Backups(partial(find_larp_home, larp), options.project),
            keep=options.keep,
            dry_run=options.dry_run,
        )
    )
