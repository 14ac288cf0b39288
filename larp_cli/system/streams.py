"""The standard streams, whose readers may be gone or were never there."""

from __future__ import annotations

import os
import sys

_NAMES = ("stdin", "stdout", "stderr")


def open_standard_streams() -> None:
    """Reopen closed standard streams on /dev/null.

    Call it before anything else is opened. The next file or socket would otherwise get
    descriptor 0, 1 or 2, and whatever is written to that stream would go into it.
    """
    for descriptor, name in enumerate(_NAMES):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this descriptor
            os.set_inheritable(descriptor, True)
            mode = "r" if descriptor == 0 else "w"
            stream = open(descriptor, mode, encoding="utf-8", closefd=False)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
