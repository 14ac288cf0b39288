"""Contract with pydantic: a variable keeps it from looking for plugins while models are built."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os
import pydantic.plugin._loader as loader
import larp_cli.settings
print(loader._plugins, "PYDANTIC_DISABLE_PLUGINS" in os.environ)
import pydantic
type("Later", (pydantic.BaseModel,), {})
print(loader._plugins)
"""


def test_settings_look_for_no_plugins_and_later_models_do() -> None:
    """The metadata of every installed package is not read, and foreign models keep plugins."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout.splitlines() == ["None False", "{}"]
