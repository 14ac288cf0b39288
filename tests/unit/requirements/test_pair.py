"""The order of compiling, with a compiler that does what a script says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from larp_cli.observer import Silent
from larp_cli.requirements.compiler import CompileFailed, CompileOptions, Job
from larp_cli.requirements.explain import Failure, FailureKind
from larp_cli.requirements.pair import PairCompiler
from larp_cli.requirements.project import LockedProject, read_project
from tests.requirements import LockableProject


@pytest.fixture
def project(tmp_path: Path) -> LockedProject:
    """A project whose two files are compiled by a script."""
    return read_project(LockableProject(tmp_path).wants("click").root)


class Scripted:
    """A compiler that asks a function, and remembers what was wanted of it."""

    def __init__(self, answer: Callable[[Job], str | Failure]) -> None:
        self.answer = answer
        self.jobs: list[Job] = []

    def compile(self, job: Job, workspace: Path) -> str:
        """Return what the function does, or fail as it says."""
        self.jobs.append(job)
        answer = self.answer(job)
        if isinstance(answer, Failure):
            raise CompileFailed(job.target, answer)
        return answer

    @property
    def order(self) -> list[str]:
        """The files, as they were compiled."""
        return [job.target.name for job in self.jobs]


def pair_of(
    project: LockedProject, compiler: Scripted, seed: str | None = None, upgrade: bool = False
) -> PairCompiler:
    """Put a pair together, with one text for both old files."""
    before = {"main": seed, "dev": seed}
    return PairCompiler(
        project, compiler, Silent(), CompileOptions(upgrade=upgrade), before, Path()
    )


def failure(kind: FailureKind, *names: str) -> Failure:
    """Make one."""
    return Failure(kind, f"it is {kind.value}", None, frozenset(names))


def test_main_first_is_tried_where_dev_first_is_a_conflict(project: LockedProject) -> None:
    """Where dev alone finds nothing and within main's pins does, that is the pair, and is said."""

    def answer(job: Job) -> str | Failure:
        if job.target.name == "dev" and job.constraints is None:
            return failure(FailureKind.CONFLICT)
        return "click==8.1\n" if job.target.name == "main" else "click==8.1\nxray==1\n"

    compiler = Scripted(answer)
    pair = pair_of(project, compiler).compile_both()

    assert compiler.order == ["dev", "main", "dev"]
    assert compiler.jobs[-1].constraints == "click==8.1\n"
    assert pair.order == "main first"
    assert "dev first has no solution" in pair.notes[0]


@pytest.mark.parametrize("kind", [FailureKind.MISSING, FailureKind.INDEX, FailureKind.OTHER])
def test_nothing_else_is_tried_again(project: LockedProject, kind: FailureKind) -> None:
    """A package that is missing or an index that is down is the same in any order."""
    compiler = Scripted(lambda _: failure(kind))

    with pytest.raises(CompileFailed):
        pair_of(project, compiler).compile_both()

    assert compiler.order == ["dev"]


def test_the_first_failure_is_the_one_that_is_told(project: LockedProject) -> None:
    """Where neither order works, the one that is meant is explained."""

    def answer(job: Job) -> Failure:
        return failure(FailureKind.CONFLICT if job.target.name == "dev" else FailureKind.OTHER)

    with pytest.raises(CompileFailed, match="requirements-dev.txt cannot be compiled"):
        pair_of(project, Scripted(answer)).compile_both()


def test_the_second_file_begins_with_the_pins_of_the_first(project: LockedProject) -> None:
    """With their hashes, so that these are not looked up twice; its own others follow."""
    compiler = Scripted(lambda _: "click==8.1 --hash=sha256:aa\n")

    pair_of(project, compiler, "click==7.0\nother==1\n").compile_both()

    assert [pin.line for pin in compiler.jobs[1].seed] == [
        "click==8.1 \\\n    --hash=sha256:aa\n",
        "other==1\n",
    ]


def test_pins_that_are_part_of_a_conflict_are_given_up_first(project: LockedProject) -> None:
    """Then all of them; and a conflict without any is the end."""
    compiler = Scripted(lambda _: failure(FailureKind.CONFLICT, "alpha"))

    with pytest.raises(CompileFailed):
        pair_of(project, compiler, "alpha==1\nbeta==1\n").compile_both()

    seeds = [[pin.name for pin in job.seed] for job in compiler.jobs if job.target.name == "dev"]
    assert seeds == [["alpha", "beta"], ["beta"], []]


def test_upgrading_forgets_every_pin(project: LockedProject) -> None:
    """Only those of the first file are kept for the second."""
    compiler = Scripted(lambda _: "click==8.1\n")

    pair_of(project, compiler, "click==7.0\nother==1\n", upgrade=True).compile_both()

    assert [[pin.requirement for pin in job.seed] for job in compiler.jobs] == [[], ["click==8.1"]]
