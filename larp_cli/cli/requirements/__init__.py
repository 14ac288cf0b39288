"""``larp requirements``: lock dependencies in two files."""

from larp_cli.cli.commands import group, new_app

NAMES = ("update", "check", "rollback")

app = new_app(cls=group(__name__, NAMES))


@app.callback()
def requirements() -> None:
    """Lock the dependencies of a project in two matching files.

    Examples:
      larp requirements update
      larp requirements check
    """
