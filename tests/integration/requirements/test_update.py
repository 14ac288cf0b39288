"""``larp requirements update`` with pip-tools and the wheels of the tests."""

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

UV = ("--backend", "uv")
"""Four times as quick; for what is not up to the resolver."""


def tree(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return the modification time, mode and content of every file."""
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_mode, path.read_bytes())
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_a_limit_in_dev_applies_to_both_files(larp: Larp, project: LockableProject) -> None:
    """If only dev needs an older click, both files get the older one."""
    project.wants("click", dev=["click<8.2"])

    outcome = larp("requirements", "update", "--json")

    assert outcome.exit_code == ExitCode.OK
    assert outcome.document["changed"] is True
    assert outcome.result["order"] == "dev first"
    assert "click==8.1 " in project.main
    assert "click==8.1 " in project.dev
    assert project.names() == LOCKED


def test_main_first_would_fail_on_a_limit_in_dev(project: LockableProject, tmp_path: Path) -> None:
    """Resolving main alone and dev within its pins, as other tools do, has no solution."""
    wanted = read_project(project.wants("click", dev=["click<8.2"]).root)
    main, dev = wanted.targets
    options = CompileOptions(hashes=False)
    with (
        PrivateWords(tmp_path) as private,
        closing(Compiler(wanted, private, options)) as compiler,
    ):
        pins = parse(compiler.compile(Job(target=main), tmp_path)).constraints
        with pytest.raises(CompileFailed) as caught:
            compiler.compile(Job(target=dev, constraints=pins, constrained_by=main.path), tmp_path)

    assert pins == "click==8.3\n"
    assert "requires click<8.2; requirements.txt has click==8.3" in caught.value.message


def test_a_second_update_changes_nothing(
    larp: Larp, project: LockableProject, larp_home: Path
) -> None:
    """An update without changes writes no file and makes no backup."""
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
    """The header names the command, and the annotations name only files of the project."""
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
    """-P upgrades one package, --upgrade all of them; without them, pins stay."""
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


def test_an_unknown_package_to_upgrade_is_reported(larp: Larp, project: LockableProject) -> None:
    """A typo after -P gives a note, and an invalid name is a usage error."""
    project.wants("click")

    outcome = larp("requirements", "update", *UV, "-P", "clikc", "--json")
    refused = larp("requirements", "update", *UV, "-P", "--index-url=x")

    assert "clikc is not in the lock files, so it was not upgraded" in outcome.result["notes"]
    assert refused.exit_code == ExitCode.USAGE


def test_a_pin_missing_from_the_index_is_replaced(larp: Larp, project: LockableProject) -> None:
    """If the index lost a pinned version, the update picks another one and reports it."""
    project.wants("click", dev=["web"])
    pins = ["click==7.9", "typing-extra==0.9", "web==1.0"]
    project.locked(pins[:1], pins)

    outcome = larp("requirements", "update", "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert "web==1.0 " in project.dev
    notes = " ".join(outcome.result["notes"])
    assert "click 7.9 in requirements-dev.txt could not be kept; it is now 8.3" in notes
    assert "typing-extra 0.9" in notes


def test_old_pins_do_not_prevent_a_solution(larp: Larp, project: LockableProject) -> None:
    """Old pins change if a new requirement needs it, although pip-tools alone would fail."""
    project.wants("alpha", "beta")
    pins = ["alpha==1.0", "xray==1.5"]
    project.locked(pins, pins)

    outcome = larp("requirements", "update", "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert "alpha==2.0 " in project.main
    assert outcome.result["order"] == "dev first"


def test_pins_edited_by_hand_get_new_hashes(larp: Larp, project: LockableProject) -> None:
    """A version changed by hand gets its own hashes, not those of the old version."""
    project.wants("click")
    larp("requirements", "update")
    right = project.main
    for name in ("requirements.txt", "requirements-dev.txt"):
        project.change(name, "click==8.3", "click==8.2")

    larp("requirements", "update")

    assert "click==8.2 " in project.main
    assert not set(_hashes(project.main)) & set(_hashes(right))


def test_an_extra_may_refer_to_the_project(larp: Larp, project: LockableProject) -> None:
    """``demo[serve]`` in an extra adds the requirements of serve, not a path to the project."""
    project.wants("click", dev=["Demo[Web-Server]"], extras={"web_server": ["web"]})

    outcome = larp("requirements", "update")

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert "web==2.0 " in project.dev
    assert "web==" not in project.main
    assert "demo @" not in project.dev
    assert larp("requirements", "check").exit_code == ExitCode.OK


def test_the_project_chooses_files_and_extras(larp: Larp, project: LockableProject) -> None:
    """[tool.larp.requirements] sets the paths of the files and their extras."""
    more = (
        "[tool.larp.requirements]\n"
        "main = { file = 'lock/base.txt', extras = ['serve'] }\n"
        "dev = { file = 'lock/dev.txt' }"
    )
    project.wants("click", dev=["xray"], extras={"serve": ["web"]}, more=more)

    outcome = larp("requirements", "update", *UV)

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
    """With dynamic dependencies, the build of the project computes the requirements."""
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
    """A file keeps its mode; a symbolic link stays, and the file it leads to is written."""
    project.wants("click")
    real = project.write("elsewhere/real.txt", "")
    real.chmod(0o640)
    (project.root / "requirements.txt").symlink_to(real)

    larp("requirements", "update", *UV)

    assert (project.root / "requirements.txt").is_symlink()
    assert "click==8.3 " in real.read_text()
    assert real.stat().st_mode & 0o7777 == 0o640
    assert {path.name for path in real.parent.iterdir()} == {"real.txt"}


def test_a_dry_run_writes_nothing_at_all(
    larp: Larp, project: LockableProject, larp_home: Path
) -> None:
    """It shows the changes, and leaves no lock, backup or temporary file."""
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
    """--no-generate-hashes pins only versions, and the check accepts that."""
    project.wants("click", dev=["web"])

    larp("requirements", "update", "--no-generate-hashes")

    assert "--hash" not in project.main + project.dev
    assert larp("requirements", "check", "--resolve").exit_code == ExitCode.OK


def test_modules_beside_the_project_are_not_run(larp: Larp, project: LockableProject) -> None:
    """A click.py in the project does not shadow the package that pip-tools imports."""
    project.wants("web")
    for name in ("click.py", "pip.py", "build.py"):
        project.write(name, "raise SystemExit('run by mistake')")

    assert larp("requirements", "update").exit_code == ExitCode.OK


def test_spaces_in_the_path_and_an_unrelated_env_file_do_not_matter(
    larp: Larp, tmp_path: Path
) -> None:
    """Any project can be locked, whatever its path and the contents of its .env."""
    project = LockableProject(tmp_path / "my (own) project").wants("click", dev=["web"])
    (tmp_path / ".env").write_text("DEBUG=release\nDATABASE_URL=mysql://x\nSERVE_PORT=x\n")

    outcome = larp("requirements", "update", "--project", str(project.root))

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert "own" not in project.main + project.dev
    assert "-c requirements-dev.txt" in project.main


def test_crlf_line_endings_are_replaced(larp: Larp, project: LockableProject) -> None:
    """An update rewrites a file that has CRLF with LF."""
    project.wants("click")
    larp("requirements", "update")
    right = project.main
    project.write("requirements.txt", right.replace("\n", "\r\n"))

    outcome = larp("requirements", "update", "--json")

    assert outcome.document["changed"] is True
    assert project.main == right


def test_pins_of_foreign_files_are_kept(larp: Larp, project: LockableProject) -> None:
    """Pins are kept from a file with options, includes and merge conflict markers."""
    project.wants("click", "web")
    foreign = (
        "--index-url https://u:p@host/\n-r base.txt\n<<<<<<< ours\nclick==8.1\n=======\n-e .\n"
    )
    project.write("requirements-dev.txt", foreign)

    outcome = larp("requirements", "update", *UV)

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert "click==8.1 " in project.main


def test_keep_limits_the_number_of_backups(
    larp: Larp, project: LockableProject, larp_home: Path
) -> None:
    """--keep N keeps the newest N; --keep 0 makes none and removes none."""
    project.wants("click==8.1").locked(["click==8.0"], ["click==8.0"])
    backups = Backups(lambda: larp_home, project.root)
    for text in ("1", "2", "3"):
        backups.save({"requirements.txt": text})

    kept = larp("requirements", "update", *UV, "--keep", "2", "--json").result["backup"]
    project.wants("click==8.2")
    none = larp("requirements", "update", *UV, "--keep", "0", "--json").result["backup"]

    assert none is None
    assert len(backups.list_names()) == 2
    assert backups.list_names()[0] == kept


def _hashes(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if "--hash" in line]


def test_requirements_for_other_environments_are_ignored(
    larp: Larp, project: LockableProject, tmp_path: Path
) -> None:
    """Two requirements for different versions of Python do not conflict."""
    project.wants('click<8.2; python_version < "3"', 'click>=8.2; python_version >= "3"')
    make_wheel(tmp_path / "unused", "click", "1.0")

    larp("requirements", "update")

    assert "click==8.3 ; python" in project.main
    assert larp("requirements", "check").exit_code == ExitCode.OK
