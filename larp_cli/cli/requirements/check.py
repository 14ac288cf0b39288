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
        bool, typer.Option("--resolve", help="Also resolve again, using the package index.")
    ] = False,
    backend: ResolverBackend = "pip-tools",
) -> None:
    """Check that the lock files match pyproject.toml.

    Needs no network, unless you give --resolve. Exits with 3 if pyproject.toml has changed,
    a file was edited, a pin differs between the files, the development file lacks a
    package, a hash is missing, or a line belongs to one machine.

    Examples:
      larp requirements check
      larp requirements check --json
      larp requirements check --resolve
    """
    from larp_cli.requirements.check import check as check_lock_files

    larp: Context = ctx.obj
    options = None
    if resolve:
        from larp_cli.requirements.compiler import Backend, CompileOptions

        options = CompileOptions(backend=Backend(backend))
    larp.answer(check_lock_files(project, larp.observer, resolve=options))
