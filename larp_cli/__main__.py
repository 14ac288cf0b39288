"""``python -m larp_cli``, and the ``larp`` script."""

import gc
import os
import signal
import sys
from types import FrameType

from larp_cli.system.streams import flush_standard_streams, open_standard_streams

GARBAGE_THRESHOLD = 50_000
"""Objects made before garbage is looked for: modules are none, and importing makes thousands."""


def run() -> None:
    """Run the command line, and exit with its code."""
    open_standard_streams()
    signal.signal(signal.SIGTERM, _end)  # PID 1 would not hear it without a handler
    gc.set_threshold(GARBAGE_THRESHOLD)
    # Looking for plugins of pydantic reads the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        from larp_cli.cli.main import main

        sys.exit(main())
    except KeyboardInterrupt:  # before or after any command ran
        sys.exit(130)
    finally:
        flush_standard_streams()
        gc.freeze()  # what is left goes with the process; looking through it takes a while


def _end(number: int, _frame: FrameType | None) -> None:
    """End as the shell expects it, before and after a command heeds signals itself."""
    sys.exit(128 + number)


if __name__ == "__main__":
    run()
