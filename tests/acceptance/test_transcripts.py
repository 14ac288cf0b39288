"""The README's transcripts are what the commands in them print at a terminal."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from larp_cli.errors import ExitCode
from tests.acceptance.pages import blocks
from tests.acceptance.readers import Reader, kept_on_screen, renamed
from tests.acceptance.test_docs import larp_arguments
from tests.conftest import ROOT, LarpProcess
from tests.databases import name_of

README = (ROOT / "README.md").read_text(encoding="utf-8")
DEMO = "$ make demo\n"
TIME = re.compile(r"\b\d+(?:\.\d+)? m?s\b")
REVISION = re.compile(r"\b[0-9a-f]{12}\b")
DATE = re.compile(r"\b\d{8}_\d{4}(?=_)")
APPLIED = re.compile(r"REVISION .+ TIME")
SHORTEST_RULE = "─" * 10


def comparable(text: str, **places: str) -> list[str]:
    """Replace what differs from run to run: ids, times, ``places``, and the widths they cause.

    A revision that is added later is applied by the demo too; its line is left out.
    """
    for name, place in places.items():
        text = text.replace(place, name)
    text = REVISION.sub("REVISION", TIME.sub("TIME", DATE.sub("DATE", text)))
    # A path too long for a socket's address makes the server use another directory.
    text = re.sub(r" on \S.* \(embedded\)", " on SOCKET (embedded)", text)
    text = re.sub(r"PostgreSQL 18\.\d+", "PostgreSQL 18", text)
    lines = [re.sub(" +", " ", line.strip()) for line in text.splitlines()]
    lines = [SHORTEST_RULE if line.startswith(SHORTEST_RULE) else line for line in lines]
    return [
        line
        for above, line in itertools.pairwise(["", *filter(None, lines)])
        if not (APPLIED.fullmatch(above) and APPLIED.fullmatch(line))
    ]


# --- make demo ----------------------------------------------------------------------


def demo_transcript() -> list[tuple[str, list[str]]]:
    """Read the transcript of the demo: each command with the lines below it."""
    (block,) = [body for body in blocks(README, "console") if body.startswith(DEMO)]
    steps: list[tuple[str, list[str]]] = []
    for line in block.removeprefix(DEMO).splitlines():
        if line.startswith("env -u DATABASE_URL "):
            steps.append((line, []))
        else:
            steps[-1][1].append(line)
    return steps


def demo_recipe() -> list[str]:
    """Read the Makefile's demo, as make prints its commands."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = makefile.partition("\ndemo:")[2].partition("\n\n")[0].splitlines()[1:]
    home = {"$(abspath $(DEMO_HOME))": "…/.larp", "$(BIN)": ".venv/bin"}
    lines = [line.strip() for line in recipe]
    for variable, value in home.items():
        lines = [line.replace(variable, value) for line in lines]
    return lines


def test_the_demo_prints_what_the_readme_shows(larp_process: LarpProcess, larp_home: Path) -> None:
    """Each command of the demo prints what the README shows below it."""
    home = larp_home / ".larp"  # pytest closes its own directories to other accounts
    steps = demo_transcript()
    assert [line for line, _ in steps] == demo_recipe()

    for line, shown in steps:
        (arguments,) = larp_arguments(line)
        outcome = larp_process(
            *arguments, "--output", "human", env={"LARP_HOME": str(home), "COLUMNS": "400"}
        )

        assert outcome.exit_code == ExitCode.OK, outcome.stderr
        printed = f"{kept_on_screen(outcome.stderr)}\n{outcome.stdout}"
        assert comparable("\n".join(shown)) == comparable(printed, **{"…/.larp": str(home)})


# --- the rest of the session --------------------------------------------------------


def session() -> Iterator[tuple[str, str]]:
    """Yield each command of the README's other transcripts, with what is shown below it."""
    for block in blocks(README, "console"):
        if not block.startswith(DEMO):
            for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                line, _, shown = step.partition("\n")
                yield line, shown


def places_of(author: Reader) -> dict[str, str]:
    """Map the README's host, role, database and directory to those of a test."""
    url = author.environment["DATABASE_URL"]
    server, _, _ = url.rpartition("/")
    role, _, address = server.removeprefix("postgresql://").rpartition("@")
    return {
        "…": str(author.directory),
        "db.internal:5432": address,
        "as larp_owner": f"as {role.partition(':')[0]}",
        "larp": name_of(url),
    }


def test_the_session_prints_what_the_readme_shows(author: Reader) -> None:
    """An index is planned and applied, and a reset refused, as the README shows."""
    assert "`name: Mapped[str] = mapped_column(index=True)`" in README
    column = "    name: Mapped[str] = mapped_column(index=True)\n"
    author.edit_model(column, "from sqlalchemy.orm import mapped_column\n")
    places = places_of(author)

    for line, shown in session():
        assert comparable(renamed(shown)) == comparable(author.run(renamed(line)), **places), line
