"""What the code and the programs of others see of our environment: what the user gave."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.conftest import LarpProcess
from tests.integration.cli.db.conftest import Build

PLUGINS = "PYDANTIC_DISABLE_PLUGINS"
WRITE = "import json, os; open({path!r}, 'w').write(json.dumps(dict(os.environ)))"


LOCALE = {"LC_CTYPE": "C.UTF-8"}
"""Python sets it where there is no locale, for its children too."""


@pytest.mark.parametrize("plugins", [None, "logfire-plugin"])
def test_a_foreign_env_py_gets_the_environment_of_the_user(
    plugins: str | None,
    larp_process: LarpProcess,
    build: Build,
    empty: str,
    tmp_path: Path,
) -> None:
    """Whatever larp sets for itself is gone before the code of others runs."""
    seen = tmp_path / "environ.json"
    project = build(before=WRITE.format(path=str(seen)))
    project.chain("pass")
    own = LOCALE if plugins is None else {**LOCALE, PLUGINS: plugins}

    outcome = larp_process("db", "migrate", "-c", project.config, env=own)

    assert outcome.exit_code == 0, outcome.stderr
    assert json.loads(seen.read_text()) == {**os.environ, **own}


def test_psql_gets_the_environment_of_the_user(larp_process: LarpProcess, empty: str) -> None:
    """Only the variables of libpq are ours."""
    outcome = larp_process("db", "shell", "--", "-Xc", r"\! env -0", env=LOCALE)

    assert outcome.exit_code == 0, outcome.stderr
    seen = {item.partition("=")[0] for item in outcome.stdout.split("\0")}
    of_the_shell = {"PWD", "OLDPWD", "SHLVL", "_", ""}
    names = {name for name in seen - of_the_shell if not name.startswith("PG")}
    assert names == {*os.environ, *LOCALE} - of_the_shell
