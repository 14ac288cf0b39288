"""Build pydantic models without its plugins."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLE = "PYDANTIC_DISABLE_PLUGINS"
"""Names the plugins that pydantic does not load; see "Plugins" in its documentation."""


@contextmanager
def disable_plugins() -> Iterator[None]:
    """Let models that are defined in the block use no plugins.

    Pydantic looks for plugins in the metadata of every installed package, which takes long. The
    environment is as the user gave it afterwards, for child processes and the code of others.
    """
    if VARIABLE in os.environ:
        yield
        return
    os.environ[VARIABLE] = "__all__"
    try:
        yield
    finally:
        del os.environ[VARIABLE]
