"""``larp db``: the database, its schema and its revisions."""

from larp_cli.cli.commands import group, new_app
from larp_cli.cli.options import AlembicOptions, CommonOptions

NAMES = (
    "init",
    "migrate",
    "rollback",
    "status",
    "plan",
    "check",
    "history",
    "revision",
    "stamp",
    "reset",
    "backup",
    "restore",
    "seed",
    "shell",
    "wait",
    "start",
    "stop",
)

app = new_app(cls=group(__name__, NAMES, (AlembicOptions, CommonOptions)))


@app.callback()
def db() -> None:
    """Create, migrate, inspect, back up and restore the database.

    Examples:
      larp db init --seed
      larp db migrate
      larp db status --json
    """
