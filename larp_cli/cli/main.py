"""The root of the command line, and the only edge where errors become exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from larp_cli import __version__
from larp_cli.cli.commands import group, new_app
from larp_cli.cli.context import Context
from larp_cli.cli.options import AlembicOptions, CommonOptions
from larp_cli.cli.streams import write_result
from larp_cli.cli.typer_api import run_app
from larp_cli.errors import LarpError, UsageError
from larp_cli.system.streams import write_to_stderr

PROGRAM = "larp"
NAMES = ("db", "health", "serve", "requirements", "config", "doctor")

app = new_app(
    name=PROGRAM,
    cls=group("larp_cli.cli", NAMES, (AlembicOptions, CommonOptions)),
    add_completion=True,
    subcommand_metavar="COMMAND [ARGS]...",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        write_result(f"larp {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            "-V",
            callback=_show_version,
            is_eager=True,
            help="Show the version of larp.",
        ),
    ] = False,
) -> None:
    """Create, migrate, back up and health-check a PostgreSQL database.

    Works with the database of LARP Manager, and with any other Alembic project.

    Examples:
      larp db init
      larp db status --json
      larp db migrate
      larp health
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return the exit code.

    A failure that larp can explain is a LarpError; any other exception is reported as a bug.
    Only signals outside a command's work are raised.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    larp = Context()
    try:
        exited = run_app(app, arguments, name=PROGRAM, obj=larp)
        return int(exited) if isinstance(exited, int) else int(larp.exit_code)
    except LarpError as error:
        return _fail(larp, error)
    except typer.TyperException as error:
        larp.read_output_from(arguments)
        return _fail(larp, _usage_error(error, larp))
    except SystemExit as ended:  # Typer answers completion so
        return ended.code if isinstance(ended.code, int) else 0
    except Exception as error:  # noqa: B902 - the edge: a bug must end in an exit code too
        return _fail(larp, _bug(error))


def _fail(larp: Context, error: LarpError) -> int:
    if larp.options.debug:
        import traceback

        text = "".join(traceback.format_exception(error))
        write_to_stderr(larp.redact(text).rstrip())
    larp.fail(error)
    return int(larp.exit_code)


def _usage_error(error: typer.TyperException, larp: Context) -> LarpError:
    words = ("larp", larp.command_name, "--help")
    message = error.format_message().rstrip(".").replace("Value error, ", "")
    return UsageError(message, hint=" ".join(filter(None, words)))


def _bug(error: Exception) -> LarpError:
    failure = LarpError(
        f"this is a bug in larp: {type(error).__name__}: {error}",
        hint="run the same command with --debug, and report what it prints",
    )
    failure.__cause__ = error
    return failure
