"""Signal handlers for the length of a block."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from larp_cli.system.signals import handlers, signals_deferred


def test_handlers_are_those_of_before_when_the_block_ends() -> None:
    """A program that calls larp as a library keeps its own."""
    heard: list[int] = []
    before = signal.getsignal(signal.SIGTERM)

    with handlers({signal.SIGTERM: lambda number, _frame: heard.append(number)}):
        os.kill(os.getpid(), signal.SIGTERM)

    assert heard == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_deferred_signal_arrives_when_the_block_ends() -> None:
    """A process that starts in the block has an owner by then; nothing gets lost."""
    done = []

    with pytest.raises(KeyboardInterrupt), signals_deferred():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        done.append(True)

    assert done == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_another_thread_runs_without_handlers() -> None:
    """Python lets only the main thread set them."""
    done = []

    def work() -> None:
        before = signal.getsignal(signal.SIGTERM)
        with handlers({signal.SIGTERM: lambda *_: None}), signals_deferred():
            done.append(signal.getsignal(signal.SIGTERM) is before)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)

    assert done == [True]
