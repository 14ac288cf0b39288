"""The order in which the two files are compiled, with a scripted compiler."""

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
    """A project that needs click."""
    return read_project(LockableProject(tmp_path).wants("click").root)


class Scripted:
    """A compiler whose results come from a function, and that records its jobs."""

    def __init__(self, answer: Callable[[Job], str | Failure]) -> None:
        self.answer = answer
        self.jobs: list[Job] = []

    def compile(self, job: Job, workspace: Path) -> str:
        """Return the text from the function, or raise its failure."""
        self.jobs.append(job)
        answer = self.answer(job)
        if isinstance(answer, Failure):
            raise CompileFailed(job.target, answer)
        return answer

    @property
    def order(self) -> list[str]:
        """The files, in the order they were compiled."""
        return [job.target.name for job in self.jobs]


def make_compiler(
    project: LockedProject, compiler: Scripted, seed: str | None = None, upgrade: bool = False
) -> PairCompiler:
    """Make a compiler for both files, with the same text for both old ones."""
    before = {"main": seed, "dev": seed}
    return PairCompiler(
        project, compiler, Silent(), CompileOptions(upgrade=upgrade), before, Path()
    )


def failure(kind: FailureKind, *names: str) -> Failure:
    """Make a failure that involves these packages."""
    return Failure(kind, f"it is {kind.value}", None, frozenset(names))


def test_main_first_is_tried_where_dev_first_is_a_conflict(project: LockedProject) -> None:
    """If dev only has a solution within the pins of main, larp uses it and says so."""

    def answer(job: Job) -> str | Failure:
        if job.target.name == "dev" and job.constraints is None:
            return failure(FailureKind.CONFLICT)
        return "click==8.1\n" if job.target.name == "main" else "click==8.1\nxray==1\n"

    compiler = Scripted(answer)
    pair = make_compiler(project, compiler).compile_both()

    assert compiler.order == ["dev", "main", "dev"]
    assert compiler.jobs[-1].constraints == "click==8.1\n"
    assert pair.order == "main first"
    assert "dev first has no solution" in pair.notes[0]


@pytest.mark.parametrize("kind", [FailureKind.MISSING, FailureKind.INDEX, FailureKind.OTHER])
def test_other_failures_are_not_retried(project: LockedProject, kind: FailureKind) -> None:
    """A missing package or an unreachable index fails in any order."""
    compiler = Scripted(lambda _: failure(kind))

    with pytest.raises(CompileFailed):
        make_compiler(project, compiler).compile_both()

    assert compiler.order == ["dev"]


def test_the_first_failure_is_reported(project: LockedProject) -> None:
    """If neither order works, the error explains why dev first failed."""

    def answer(job: Job) -> Failure:
        return failure(FailureKind.CONFLICT if job.target.name == "dev" else FailureKind.OTHER)

    with pytest.raises(CompileFailed, match="requirements-dev.txt cannot be compiled"):
        make_compiler(project, Scripted(answer)).compile_both()


def test_the_second_file_starts_from_the_pins_of_the_first(project: LockedProject) -> None:
    """They include their hashes, so that pip-tools need not fetch them twice."""
    compiler = Scripted(lambda _: "click==8.1 --hash=sha256:aa\n")

    make_compiler(project, compiler, "click==7.0\nother==1\n").compile_both()

    assert [pin.line for pin in compiler.jobs[1].seed] == [
        "click==8.1 \\\n    --hash=sha256:aa\n",
        "other==1\n",
    ]


def test_pins_in_a_conflict_are_dropped_first(project: LockedProject) -> None:
    """If dropping them is not enough, all pins are dropped, and then the conflict is final."""
    compiler = Scripted(lambda _: failure(FailureKind.CONFLICT, "alpha"))

    with pytest.raises(CompileFailed):
        make_compiler(project, compiler, "alpha==1\nbeta==1\n").compile_both()

    seeds = [[pin.name for pin in job.seed] for job in compiler.jobs if job.target.name == "dev"]
    assert seeds == [["alpha", "beta"], ["beta"], []]


def test_upgrading_drops_every_old_pin(project: LockedProject) -> None:
    """With --upgrade, the second file starts only from the pins of the first."""
    compiler = Scripted(lambda _: "click==8.1\n")

    make_compiler(project, compiler, "click==7.0\nother==1\n", upgrade=True).compile_both()

    assert [[pin.requirement for pin in job.seed] for job in compiler.jobs] == [[], ["click==8.1"]]
