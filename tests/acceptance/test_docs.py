"""What a page shows, a test runs: the docs are what the program does."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.exceptions import Exit
from typer.main import get_command

from larp_cli.cli.commands import LarpGroup
from larp_cli.cli.context import Context
from larp_cli.cli.main import app
from larp_cli.errors import ExitCode
from larp_cli.settings import Settings
from tests.acceptance.pages import FENCE, GENERATED, PAGES, blocks, of_page
from tests.conftest import ROOT, Larp

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Walk the whole command tree, groups included."""
    todo: list[tuple[tuple[str, ...], Any]] = [((), get_command(app))]
    while todo:
        words, command = todo.pop(0)
        yield words, command
        if isinstance(command, LarpGroup):
            todo.extend(
                ((*words, name), command.get_command(None, name))
                for name in command.list_commands(None)
            )


def prose(text: str) -> str:
    """Leave the fenced blocks out."""
    return FENCE.sub("", text)


def shown_command_lines(text: str) -> list[list[str]]:
    """List the arguments of every ``larp`` command line that a page shows for a shell."""
    lines = [line for block in blocks(text, "sh") for line in block.splitlines()]
    for transcript in blocks(text, "console"):
        lines += [line for line in transcript.splitlines() if line.startswith(("$ ", "env "))]
    return [
        arguments
        for line in lines
        if re.search(r"\blarp [a-z-]", line)
        for arguments in larp_arguments(line)
    ]


def larp_arguments(line: str) -> Iterator[list[str]]:
    """Split a shell's line into commands, and give the arguments of those that are larp's."""
    lexer = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    command: list[str] = []
    for word in [*lexer, ";"]:
        if word not in (";", "&&", "||", "|"):
            command.append(word)
            continue
        names = [index for index, name in enumerate(command) if Path(name).name == "larp"]
        if names and command[0] != "kubectl":  # where it is the name of a namespace
            arguments = command[names[0] + 1 :]
            end = arguments.index(">") if ">" in arguments else len(arguments)
            yield arguments[:end]
        command = []


def parse(arguments: list[str]) -> None:
    """Parse a command line as the program does, without running its command."""
    command, name, parent = get_command(app), "larp", None
    while True:
        settings = {"obj": Context()} if parent is None else {}
        context = command.make_context(name, list(arguments), parent=parent, **settings)
        if not isinstance(command, LarpGroup):
            return
        arguments = [*context._protected_args, *context.args]
        name, found, arguments = command.resolve_command(context, arguments)
        command, parent = found, context


def anchors(path: Path) -> set[str]:
    """List the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


# --- what is generated --------------------------------------------------------------


@pytest.mark.parametrize(
    "surroundings",
    [{}, {"COLUMNS": "40", "FORCE_COLOR": "1", "ALEMBIC_CONFIG": "/x", "ENVIRONMENT": "testing"}],
    ids=["plain", "odd"],
)
def test_the_generated_parts_are_current(surroundings: dict[str, str]) -> None:
    """The generated parts of the docs are what the program makes of them, on any terminal."""
    pages = [of_page(page) for page in GENERATED]
    done = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", "-r", *pages],
        cwd=ROOT,
        env={**os.environ, **surroundings},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, f"run make docs: {done.stdout}{done.stderr}"


@pytest.mark.parametrize("words", [words for words, _ in commands()], ids=" ".join)
def test_every_command_has_its_help_on_the_page(
    words: tuple[str, ...], larp: Larp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page of the commands holds each one's help, byte for byte."""
    monkeypatch.setenv("COLUMNS", "80")
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")

    outcome = larp(*words, "--help")

    heading = " ".join(("larp", *words))
    assert f"## {heading}\n\n```text\n{outcome.stdout}```\n" in page


@pytest.mark.parametrize("words", [words for words, _ in commands()], ids=" ".join)
def test_a_summary_is_never_cut(words: tuple[str, ...], larp: Larp) -> None:
    """The lists of commands in the help show each summary whole."""
    assert "...\n" not in re.sub(r"^Usage:.*\n", "", larp(*words, "--help").stdout, flags=re.M)


def test_every_command_is_in_the_table() -> None:
    """The page of the commands starts with a table that has a line for each."""
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    missing = [
        words
        for words, command in commands()
        if not isinstance(command, LarpGroup) and f"[`larp {' '.join(words)}`]" not in page
    ]

    assert not missing


def test_every_setting_is_on_the_page() -> None:
    """The page of the settings has a line for each of them."""
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")

    assert not [name for name in Settings.model_fields if f"| `{name.upper()}` |" not in page]


def test_the_page_of_the_settings_shows_no_key() -> None:
    """Not even the key for development, which is public, stands where one would copy it."""
    key = Settings.model_fields["secret_key"].default.get_secret_value()

    assert key not in (ROOT / "docs/settings.md").read_text(encoding="utf-8")


def test_every_exit_code_is_on_the_page() -> None:
    """The page of the exit codes has a line for each of them."""
    page = (ROOT / "docs/exit-codes.md").read_text(encoding="utf-8")

    assert not [code for code in ExitCode if f"| {code:d} | `{code.name}` |" not in page]


@pytest.mark.parametrize("words", [("config", "show"), ("config", "secret")], ids=" ".join)
def test_a_document_has_the_fields_of_the_page(words: tuple[str, ...], larp: Larp) -> None:
    """A command's result holds the fields that the page of the documents lists, in order."""
    page = (ROOT / "docs/json.md").read_text(encoding="utf-8")
    listed = re.search(rf"^\| `{' '.join(words)}` \| \[(\w+)\]", page, re.MULTILINE)
    assert listed is not None
    section = page.partition(f"### {listed[1]}\n")[2].partition("###")[0]

    result = larp(*words, "--json").result

    assert list(result) == re.findall(r"^\| `(\w+)`", section, re.MULTILINE)


# --- what is shown ------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [line for page in PAGES for line in shown_command_lines(page.read_text(encoding="utf-8"))],
    ids=" ".join,
)
def test_a_shown_command_line_can_be_parsed(arguments: list[str]) -> None:
    """Every command line on a page is one that the program takes."""
    try:
        parse(arguments)
    except Exit as done:
        assert done.exit_code == ExitCode.OK


@pytest.mark.parametrize("page", PAGES, ids=of_page)
def test_python_on_a_page_is_python(page: Path) -> None:
    """Python on a page can at least be compiled."""
    for block in blocks(page.read_text(encoding="utf-8"), "python"):
        lines = block.splitlines()
        indent = len(lines[0]) - len(lines[0].lstrip())
        ast.parse("\n".join(line[indent:] for line in lines))


@pytest.mark.parametrize("page", PAGES, ids=of_page)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link within the repository names a file that is there, and a heading in it."""
    dead = []
    for link in LINK.findall(prose(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name) if name else page
        if not target.is_file() or (anchor and anchor not in anchors(target)):
            dead.append(link)

    assert not dead
