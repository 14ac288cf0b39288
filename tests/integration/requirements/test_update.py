"""``larp requirements update``, with pip-tools and wheels made by hand."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from larp_cli.errors import ExitCode
from larp_cli.requirements.backups import Backups
from larp_cli.requirements.compiler import CompileFailed, CompileOptions, Compiler, Job
from larp_cli.requirements.index import PrivateWords
from larp_cli.requirements.lockfile import parse
from larp_cli.requirements.project import read_project
from tests.conftest import Larp
from tests.requirements import LOCKED, LockableProject, make_wheel

pytestmark = pytest.mark.usefixtures("resolving")


def tree(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    """Take down every file: when it was written, its mode, and what is in it."""
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_mode, path.read_bytes())
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_what_only_dev_narrows_is_one_pin_in_both(larp: Larp, project: LockableProject) -> None:
    """Main alone would take the newest click, dev wants an older one: both get the older one."""
    project.wants("click", dev=["click<8.2"])

    outcome = larp("requirements", "update", "--json")

    assert outcome.exit_code == ExitCode.OK
    assert outcome.document["changed"] is True
    assert outcome.result["order"] == "dev first"
    assert "click==8.1 " in project.main
    assert "click==8.1 " in project.dev
    assert project.names() == LOCKED


def test_main_first_would_break_on_that(project: LockableProject, tmp_path: Path) -> None:
    """With main resolved alone, and dev within its pins, as other tools do it, there is no way."""
    wanted = read_project(project.wants("click", dev=["click<8.2"]).root)
    main, dev = wanted.targets
    options = CompileOptions(hashes=False)
    with (
        PrivateWords(tmp_path) as private,
        closing(Compiler(wanted, private, options)) as compiler,
    ):
        pins = parse(compiler.compile(Job(target=main), tmp_path)).constraints
        with pytest.raises(CompileFailed) as told:
            compiler.compile(Job(target=dev, constraints=pins, constrained_by=main.path), tmp_path)

    assert pins == "click==8.3\n"
    assert "asks for click<8.2; requirements.txt has click==8.3" in told.value.message


def test_a_second_update_has_nothing_to_do(
    larp: Larp, project: LockableProject, larp_home: Path
) -> None:
    """Not a byte changes, nothing is said to have, and no backup is made."""
    project.wants("web", dev=["click"], more="# a comment")
    larp("requirements", "update")
    before = tree(project.root)
    project.change("pyproject.toml", "# a comment", "# another")
    del before[str(project.root / "pyproject.toml")]

    outcome = larp("requirements", "update", "--quiet")

    after = tree(project.root)
    del after[str(project.root / "pyproject.toml")]
    assert after == before
    assert "nothing to do" in outcome.stdout
    assert list(larp_home.rglob("*.json")) == []


def test_the_files_name_larp_and_nothing_of_this_machine(
    larp: Larp, project: LockableProject
) -> None:
    """The header says what to run, the annotations name the files of the project, lines end LF."""
    project.wants("web", dev=["click"], extras={"serve": ["click"]})

    larp("requirements", "update")

    for text in (project.main, project.dev):
        assert "#    larp requirements update\n" in text
        assert "\r" not in text
        assert "/" not in text
        assert "(pyproject.toml)" in text
        assert "--find-links" not in text
    assert "-c requirements-dev.txt" in project.main


def test_upgrading_one_package_leaves_the_others(larp: Larp, project: LockableProject) -> None:
    """-P moves what it names, --upgrade everything that can move; nothing moves without them."""
    project.wants("web", "click", "typing-extra", dev=["xray"])
    pins = ["click==8.0", "typing-extra==1.0", "web==1.0"]
    project.locked(pins, [*pins, "xray==1.5"])

    larp("requirements", "update")
    kept = project.main
    larp("requirements", "update", "-P", "click")
    one = project.main
    outcome = larp("requirements", "update", "--upgrade", "--json")

    assert all(f"{pin} " in kept for pin in pins)
    assert "click==8.3 " in one
    assert "web==1.0 " in one
    assert "typing-extra==1.0 " in one
    changes = {item["name"]: item for file in outcome.result["files"] for item in file["changes"]}
    assert set(changes) == {"web", "typing-extra", "xray"}
    assert changes["web"]["kind"] == "upgraded"
    assert changes["web"]["major"] is True
    assert changes["typing-extra"]["major"] is False


def test_a_package_that_nobody_has_cannot_be_upgraded(larp: Larp, project: LockableProject) -> None:
    """A slip of the pen after -P is told, and what is no name at all is refused."""
    project.wants("click")

    outcome = larp("requirements", "update", "-P", "clikc", "--json")
    refused = larp("requirements", "update", "-P", "--index-url=x")

    assert "clikc is not in the lock files, so it was not upgraded" in outcome.result["notes"]
    assert refused.exit_code == ExitCode.USAGE


def test_a_pin_that_exists_no_more_is_chosen_anew(larp: Larp, project: LockableProject) -> None:
    """A version that the index has lost does not stop an update, and is told."""
    project.wants("click", dev=["web"])
    pins = ["click==7.9", "typing-extra==0.9", "web==1.0"]
    project.locked(pins[:1], pins)

    outcome = larp("requirements", "update", "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert "web==1.0 " in project.dev
    notes = " ".join(outcome.result["notes"])
    assert "click 7.9 in requirements-dev.txt could not be kept; it is now 8.3" in notes
    assert "typing-extra 0.9" in notes


def test_old_pins_do_not_stand_in_the_way(larp: Larp, project: LockableProject) -> None:
    """Where a new requirement needs others to move, and pip-tools alone gives up, they move."""
    project.wants("alpha", "beta")
    pins = ["alpha==1.0", "xray==1.5"]
    project.locked(pins, pins)

    outcome = larp("requirements", "update", "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert "alpha==2.0 " in project.main
    assert outcome.result["order"] == "dev first"


def test_pins_edited_by_hand_do_not_keep_the_old_hashes(
    larp: Larp, project: LockableProject
) -> None:
    """The hashes of a version that somebody typed are those of that version."""
    project.wants("click")
    larp("requirements", "update")
    right = project.main
    for name in ("requirements.txt", "requirements-dev.txt"):
        project.change(name, "click==8.3", "click==8.2")

    larp("requirements", "update")

    assert "click==8.2 " in project.main
    assert not set(_hashes(project.main)) & set(_hashes(right))


def test_an_extra_may_refer_to_the_project(larp: Larp, project: LockableProject) -> None:
    """``demo[serve]`` in an extra brings what serve holds, and no path to the project."""
    project.wants("click", dev=["Demo[Web-Server]"], extras={"web_server": ["web"]})

    outcome = larp("requirements", "update")

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert "web==2.0 " in project.dev
    assert "web==" not in project.main
    assert "demo @" not in project.dev
    assert larp("requirements", "check").exit_code == ExitCode.OK


def test_extras_go_where_the_project_says(larp: Larp, project: LockableProject) -> None:
    """[tool.larp.requirements] names files, in directories too, and the extras of each."""
    more = (
        "[tool.larp.requirements]\n"
        "main = { file = 'lock/base.txt', extras = ['serve'] }\n"
        "dev = { file = 'lock/dev.txt' }"
    )
    project.wants("click", dev=["xray"], extras={"serve": ["web"]}, more=more)

    outcome = larp("requirements", "update")

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert "web==2.0 " in project.text("lock/base.txt")
    assert "xray==" not in project.text("lock/base.txt")
    assert "web==2.0 " in project.text("lock/dev.txt")
    assert "-c lock/dev.txt" in project.text("lock/base.txt")
    assert larp("requirements", "check").exit_code == ExitCode.OK


BACKEND = """
import os

def get_requires_for_build_wheel(config_settings=None):
    return []

def prepare_metadata_for_build_wheel(directory, config_settings=None):
    info = os.path.join(directory, "demo-1.dist-info")
    os.makedirs(info)
    with open(os.path.join(info, "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\\nName: demo\\nVersion: 1\\nProvides-Extra: dev\\n")
        file.write("Requires-Dist: web\\nRequires-Dist: click; extra == 'dev'\\n")
    with open(os.path.join(info, "WHEEL"), "w") as file:
        file.write("Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    return "demo-1.dist-info"
"""


def test_requirements_may_be_computed_by_the_build(larp: Larp, project: LockableProject) -> None:
    """With dynamic dependencies the project's own build says what is wanted."""
    project.write("backend.py", BACKEND)
    project.write(
        "pyproject.toml",
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
        "[project]\nname = 'demo'\nversion = '1'\n"
        "dynamic = ['dependencies', 'optional-dependencies']\n",
    )

    outcome = larp("requirements", "update")

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert "web==2.0 " in project.main
    assert "click==8.3 " in project.dev
    assert "larp-inputs" not in project.main
    assert larp("requirements", "check").exit_code == ExitCode.OK


def test_modes_and_links_are_kept(larp: Larp, project: LockableProject) -> None:
    """A file keeps its mode; a symbolic link stays one, and what it leads to is written."""
    project.wants("click")
    real = project.write("elsewhere/real.txt", "")
    real.chmod(0o640)
    (project.root / "requirements.txt").symlink_to(real)

    larp("requirements", "update")

    assert (project.root / "requirements.txt").is_symlink()
    assert "click==8.3 " in real.read_text()
    assert real.stat().st_mode & 0o7777 == 0o640
    assert {path.name for path in real.parent.iterdir()} == {"real.txt"}


def test_a_dry_run_writes_nothing_at_all(
    larp: Larp, project: LockableProject, larp_home: Path
) -> None:
    """It says what would change, and leaves no file, no lock, no backup and no temporary one."""
    project.wants("click").locked(["click==8.0"], ["click==8.0"])
    project.wants("click", "web")
    temporary = project.root.parent / "temporary"
    temporary.mkdir(exist_ok=True)
    before, stamp = tree(project.root), project.root.stat().st_mtime_ns

    outcome = larp("requirements", "update", "--dry-run", "--json", env={"TMPDIR": str(temporary)})

    assert outcome.document["changed"] is False
    assert [item["name"] for item in outcome.result["files"][0]["changes"]] == [
        "click",
        "typing-extra",
        "web",
    ]
    assert tree(project.root) == before
    assert project.root.stat().st_mtime_ns == stamp
    assert not larp_home.exists()
    assert list(temporary.iterdir()) == []


def test_hashes_can_be_left_out(larp: Larp, project: LockableProject) -> None:
    """--no-generate-hashes pins by version alone, and the check is content with it."""
    project.wants("click", dev=["web"])

    larp("requirements", "update", "--no-generate-hashes")

    assert "--hash" not in project.main + project.dev
    assert larp("requirements", "check", "--resolve").exit_code == ExitCode.OK


def test_modules_beside_the_project_are_not_run(larp: Larp, project: LockableProject) -> None:
    """A click.py in the project does not take the place of the one that pip-tools needs."""
    project.wants("web")
    for name in ("click.py", "pip.py", "build.py"):
        project.write(name, "raise SystemExit('run by mistake')")

    assert larp("requirements", "update").exit_code == ExitCode.OK


def test_a_directory_with_blanks_and_a_foreign_env_file_is_no_hindrance(
    larp: Larp, tmp_path: Path
) -> None:
    """Any project can be locked, whatever it is called and whatever its .env means to itself."""
    project = LockableProject(tmp_path / "my (own) project").wants("click", dev=["web"])
    (tmp_path / ".env").write_text("DEBUG=release\nDATABASE_URL=mysql://x\nSERVE_PORT=x\n")

    outcome = larp("requirements", "update", "--project", str(project.root))

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert "own" not in project.main + project.dev
    assert "-c requirements-dev.txt" in project.main


def test_line_ends_of_another_system_are_mended(larp: Larp, project: LockableProject) -> None:
    """Files that came with CRLF are written anew with LF."""
    project.wants("click")
    larp("requirements", "update")
    right = project.main
    project.write("requirements.txt", right.replace("\n", "\r\n"))

    outcome = larp("requirements", "update", "--json")

    assert outcome.document["changed"] is True
    assert project.main == right


def test_files_that_somebody_else_wrote_are_a_beginning(
    larp: Larp, project: LockableProject
) -> None:
    """Pins are taken over from a file with options, includes and the marks of a merge in it."""
    project.wants("click", "web")
    foreign = (
        "--index-url https://u:p@host/\n-r base.txt\n<<<<<<< ours\nclick==8.1\n=======\n-e .\n"
    )
    project.write("requirements-dev.txt", foreign)

    outcome = larp("requirements", "update")

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert "click==8.1 " in project.main


def test_backups_are_as_many_as_wanted(
    larp: Larp, project: LockableProject, larp_home: Path
) -> None:
    """--keep N keeps the newest; 0 makes none, and leaves those that there are."""
    project.wants("click==8.1").locked(["click==8.0"], ["click==8.0"])
    backups = Backups(lambda: larp_home, project.root)
    for text in ("1", "2", "3"):
        backups.save({"requirements.txt": text})

    kept = larp("requirements", "update", "--keep", "2", "--json").result["backup"]
    project.wants("click==8.2")
    none = larp("requirements", "update", "--keep", "0", "--json").result["backup"]

    assert none is None
    assert len(backups.names()) == 2
    assert backups.names()[0] == kept


def _hashes(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if "--hash" in line]


def test_a_marker_that_does_not_hold_here_asks_for_nothing(
    larp: Larp, project: LockableProject, tmp_path: Path
) -> None:
    """Two lines for two versions of Python do not contradict each other."""
    project.wants('click<8.2; python_version < "3"', 'click>=8.2; python_version >= "3"')
    make_wheel(tmp_path / "unused", "click", "1.0")

    larp("requirements", "update")

    assert "click==8.3 ; python" in project.main
    assert larp("requirements", "check").exit_code == ExitCode.OK
