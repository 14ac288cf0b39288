"""``larp config``: the settings."""

from larp_cli.cli.commands import group, new_app

NAMES = ("show", "check", "template", "secret")

app = new_app(cls=group(__name__, NAMES))


@app.callback()
def config() -> None:
    """Show and check the settings.

    Examples:
      larp config show --origin
      larp config check
      larp config template > .env
    """
