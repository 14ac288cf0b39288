"""``python -m larp_cli``, and the ``larp`` script."""

import gc
import signal
import sys
from types import FrameType

from larp_cli.cli.signals import TerminationSignal
from larp_cli.system.streams import flush_standard_streams, open_standard_streams

GARBAGE_THRESHOLD = 50_000
"""Objects made before garbage is looked for: modules are none, and importing makes thousands."""


def run() -> None:
    """Run the command line, and exit with its code."""
    open_standard_streams()
    signal.signal(signal.SIGTERM, _terminate)  # PID 1 would not hear it without a handler
    gc.set_threshold(GARBAGE_THRESHOLD)
    try:
        from larp_cli.cli.main import main

        sys.exit(main())
    except TerminationSignal:  # before a command's work began, or after it
        sys.exit(143)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        flush_standard_streams()
        gc.freeze()  # what is left goes with the process; looking through it takes a while


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise TerminationSignal


if __name__ == "__main__":
    run()
