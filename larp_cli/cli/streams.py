"""Write results to stdout, whose reader may be gone."""

from __future__ import annotations

import sys

from larp_cli.errors import CommandFailed
from larp_cli.system.streams import STDOUT, discard_output


class OutputLost(CommandFailed):
    """Stdout cannot be written: its disk is full, or its device is gone."""


def write_result(text: str) -> None:
    """Write ``text`` to stdout and flush. A reader that closed the pipe has what it wanted.

    Raises:
        OutputLost: Stdout cannot be written for another reason.
    """
    encoding = sys.stdout.encoding or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        pass
    except OSError as error:
        discard_output(STDOUT)
        raise OutputLost(
            f"cannot write the result to stdout: {error.strerror}",
            hint="free some space, or redirect the output elsewhere",
        ) from error
