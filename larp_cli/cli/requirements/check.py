"""``larp requirements check``."""

from typing import Annotated

import typer

from larp_cli.cli.commands import LarpCommand, new_app
from larp_cli.cli.context import Context
from larp_cli.cli.options import HERE, ProjectDirectory, ResolverBackend

app = new_app()


@app.command(cls=LarpCommand)
def check(
    ctx: typer.Context,
    project: ProjectDirectory = HERE,
    resolve: Annotated[
        bool, typer.Option("--resolve", help="Resolve anew as well, which asks the index.")
    ] = False,
    backend: ResolverBackend = "pip-tools",
) -> None:
    """Check that the lock files fit pyproject.toml and each other.

    Quick, and without a network, unless --resolve. Ends with 3 when something does not fit:
    a file from another pyproject.toml, a pin that is not the same in both, a package of the
    main file that development lacks, a missing hash, a line that belongs to one machine.

    Examples:
      larp requirements check
      larp requirements check --json
      larp requirements check --resolve
    """
    from larp_cli.requirements.check import check as look

    larp: Context = ctx.obj
    options = None
    if resolve:
        from larp_cli.requirements.compiler import Backend, CompileOptions

        options = CompileOptions(backend=Backend(backend))
    larp.answer(look(project, larp.observer, resolve=options))
