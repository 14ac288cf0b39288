"""How much a command logs."""

from __future__ import annotations

from collections.abc import Callable

from larp_cli.cli.options import SharedOptions
from larp_cli.logs import log_to_stderr
from larp_cli.settings import LogFormat, Settings


def configure_logging(
    settings: Settings, options: SharedOptions, redact: Callable[[str], str]
) -> None:
    """Log to stderr.

    A one-shot command logs warnings only: what it does is told by its progress and its
    result. ``--verbose`` brings LOG_LEVEL into force, ``--debug`` logs everything.
    """
    log_to_stderr(
        level=_level(settings, options),
        as_json=settings.log_format is LogFormat.JSON,
        redact=redact,
    )


def _level(settings: Settings, options: SharedOptions) -> str:
    if options.debug:
        return "DEBUG"
    if options.verbose:
        return settings.log_level.value
    return "ERROR" if options.quiet else "WARNING"
