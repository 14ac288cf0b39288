"""Stdout and stderr of a process: what is lost when they cannot be written, and what is not."""

from __future__ import annotations

import subprocess
import sys

STDERR_IS_FULL = """
import os
from larp_cli.system.streams import write_to_stderr

reader, writer = os.pipe()
os.set_blocking(reader, False)
os.set_blocking(writer, False)
os.dup2(writer, 2)


def until_it_would_block(act):
    try:
        while True:
            act()
    except BlockingIOError:
        pass


until_it_would_block(lambda: os.write(2, b"x" * 4096))
write_to_stderr("while it is full")
until_it_would_block(lambda: os.read(reader, 4096))
write_to_stderr("with room again")
os.write(1, os.read(reader, 4096))
"""


def test_stderr_is_written_again_when_there_is_room() -> None:
    """A disk that was full for a moment does not silence the rest of the command."""
    done = subprocess.run(
        [sys.executable, "-c", STDERR_IS_FULL], stdout=subprocess.PIPE, text=True, timeout=60
    )

    assert done.returncode == 0
    assert "with room again" in done.stdout
