"""``larp db plan --check``: what may go wrong, what waives it, and the linter that looks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from larp_cli.errors import ExitCode
from larp_cli.migrations.lint import squawk
from tests.conftest import Larp, Outcome
from tests.plans import CONCURRENTLY
from tests.projects import ForeignProject, sql


def rules(outcome: Outcome) -> list[str]:
    """List the rules that the only revision of a plan breaks and that are not waived."""
    (revision,) = outcome.result["revisions"]
    return [hazard["rule"] for hazard in revision["hazards"] if hazard["waived"] is None]


def test_a_hazard_is_shown_and_only_a_check_says_no(
    larp: Larp, hero_project: ForeignProject
) -> None:
    """A plan informs; --check ends with 3 and names the rule."""
    hero_project.revision("ix", 'op.create_index("ix", "hero", ["name"])', after="hero")

    shown = larp("db", "plan", "--json")
    checked = larp("db", "plan", "--check", "--json")

    assert shown.exit_code == ExitCode.OK
    assert rules(shown) == rules(checked) == ["require-concurrent-index-creation"]
    assert checked.exit_code == ExitCode.NEGATIVE
    assert "require-concurrent-index-creation" in checked.document["error"]["message"]
    assert "# larp: allow" in checked.document["error"]["hint"]
    (hazard,) = shown.result["revisions"][0]["hazards"]
    assert hazard["statement"] == "CREATE INDEX ix ON hero (name);"
    assert "require-concurrent-index-creation" in larp("db", "plan").stdout


@pytest.mark.parametrize(
    "upgrade",
    [
        CONCURRENTLY,
        'op.add_column("hero", sa.Column("mood", sa.Integer))',
        'op.create_table("t", sa.Column("id", sa.Integer), sa.Column("at", sa.DateTime))',
    ],
)
def test_what_larp_takes_care_of_is_no_hazard(
    larp: Larp, hero_project: ForeignProject, upgrade: str
) -> None:
    """Timeouts are set, a failed index build is repeated, and types are the models' matter."""
    hero_project.revision("safe", upgrade, after="hero")

    outcome = larp("db", "plan", "--check", "--json")

    assert outcome.exit_code == ExitCode.OK, outcome.stdout


def test_an_index_build_with_others_beside_it_cannot_be_repeated(
    larp: Larp, hero_project: ForeignProject
) -> None:
    """What is committed outside of the transaction stands in the way of the next try."""
    more = CONCURRENTLY.replace("ix_hero_name", "ix_more")
    hero_project.revision("two", f"{CONCURRENTLY}\n{more}", after="hero")

    outcome = larp("db", "plan", "--check", "--json")

    assert outcome.exit_code == ExitCode.NEGATIVE
    assert rules(outcome) == ["prefer-robust-stmts", "prefer-robust-stmts"]


def test_a_table_that_the_plan_creates_is_no_hazard(
    larp: Larp, hero_project: ForeignProject
) -> None:
    """It is empty, and nobody uses it yet, also in the revisions that follow."""
    hero_project.revision(
        "new", 'op.create_table("t", sa.Column("id", sa.BigInteger), schema="public")', after="hero"
    )
    hero_project.revision(
        "later",
        'op.create_index("ix_t", "t", ["id"], schema="public")\n'
        'op.create_unique_constraint("uq_t", "t", ["id"], schema="public")\n'
        'op.create_foreign_key("fk_t", "t", "hero", ["id"], ["id"], source_schema="public")\n'
        'op.drop_column("t", "id", schema="public")',
        after="new",
    )

    assert larp("db", "plan", "--check").exit_code == ExitCode.OK


def test_a_table_that_is_there_already_is_not_new(larp: Larp, hero_project: ForeignProject) -> None:
    """IF NOT EXISTS on a full table creates nothing, and the next revision locks it."""
    hero_project.revision("again", sql("CREATE TABLE IF NOT EXISTS hero (id int)"), after="hero")
    hero_project.revision("ix", 'op.create_index("ix", "hero", ["name"])', after="again")

    outcome = larp("db", "plan", "--check", "--json")

    assert outcome.exit_code == ExitCode.NEGATIVE
    assert outcome.result["revisions"][1]["hazards"] != []


def test_a_new_table_excuses_no_statement_that_cannot_be_parsed(
    larp: Larp, hero_project: ForeignProject
) -> None:
    """Beside work on a new table, one nested too deeply may touch any table."""
    deep = " || ".join(["name"] * 50)
    new = "CREATE TABLE t (id bigint); ALTER TABLE t ADD COLUMN x int"
    unknown = f"ALTER TABLE hero ADD CONSTRAINT c CHECK ({deep} <> 'x')"
    hero_project.revision("deep", sql(f"{new}; {unknown}"), after="hero")

    outcome = larp("db", "plan", "--check", "--json")

    assert outcome.exit_code == ExitCode.NEGATIVE, outcome.stdout
    assert "constraint-missing-not-valid" in rules(outcome)


def test_what_fails_on_any_table_is_told_of_new_ones_too(
    larp: Larp, hero_project: ForeignProject
) -> None:
    """CONCURRENTLY within the transaction will not run, however small the table."""
    hero_project.revision(
        "new",
        sql("CREATE TABLE t (id int)", "CREATE INDEX CONCURRENTLY ix ON t (id)"),
        after="hero",
    )

    outcome = larp("db", "plan", "--check", "--json")

    assert rules(outcome) == ["ban-concurrent-index-creation-in-transaction"]


def test_a_waiver_with_a_reason_is_accepted_and_shown(
    larp: Larp, hero_project: ForeignProject
) -> None:
    """The reason stands in the revision file, and in the plan."""
    hero_project.revision(
        "drop",
        "# larp: allow ban-drop-column: nothing has read it since May\n"
        'op.drop_column("hero", "age")',
        after="hero",
    )

    outcome = larp("db", "plan", "--check", "--json")

    assert outcome.exit_code == ExitCode.OK
    (hazard,) = outcome.result["revisions"][0]["hazards"]
    assert hazard["waived"] == "nothing has read it since May"
    assert "(accepted: nothing has read it since May)" in larp("db", "plan").stdout


@pytest.mark.parametrize(
    "waiver", ["# larp: allow ban-drop-column", "# larp: allow ban-drop-column:  "]
)
def test_a_waiver_without_a_reason_does_not_count(
    larp: Larp, hero_project: ForeignProject, waiver: str
) -> None:
    """It is a finding of its own, beside the hazard that it does not waive."""
    hero_project.revision("drop", f'{waiver}\nop.drop_column("hero", "age")', after="hero")

    outcome = larp("db", "plan", "--check", "--json")

    assert outcome.exit_code == ExitCode.NEGATIVE
    assert rules(outcome) == ["ban-drop-column", "waiver-without-reason"]


@pytest.mark.parametrize(
    "text",
    [
        "op.execute('''\\n# larp: allow ban-drop-table: in a string\\n''' and 'DROP TABLE hero')",
        "op.execute('-- squawk-ignore ban-drop-table\\nDROP TABLE hero')",
    ],
)
def test_only_a_comment_of_ours_waives(larp: Larp, hero_project: ForeignProject, text: str) -> None:
    """Neither a string nor squawk's own comment, which needs no reason, is a waiver."""
    hero_project.revision("drop", text, after="hero")

    assert rules(larp("db", "plan", "--check", "--json")) == ["ban-drop-table"]


def test_what_was_not_rendered_was_not_checked(larp: Larp, hero_project: ForeignProject) -> None:
    """A check does not pass what it could not read, unless somebody has read it."""
    question = "op.get_bind().scalar(sa.text('SELECT 1'))"
    path = hero_project.revision("asks", question, after="hero")

    blind = larp("db", "plan", "--check", "--json")
    path.write_text(f"{path.read_text()}\n# larp: allow not-rendered: read by hand\n")
    read = larp("db", "plan", "--check", "--json")

    assert (blind.exit_code, rules(blind)) == (ExitCode.NEGATIVE, ["not-rendered"])
    assert read.exit_code == ExitCode.OK


def test_a_squawk_toml_nearby_changes_nothing(
    larp: Larp, hero_project: ForeignProject, tmp_path: Path
) -> None:
    """The same plan has the same hazards wherever it is made."""
    hero_project.revision("drop", sql("DROP TABLE hero"), after="hero")
    (tmp_path / ".squawk.toml").write_text('excluded_rules = ["ban-drop-table"]\n')

    assert rules(larp("db", "plan", "--check", "--json")) == ["ban-drop-table"]


@pytest.fixture
def other_squawk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where squawk would be found, if there was one."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    return tmp_path / "bin" / "squawk"


def test_without_squawk_there_is_a_plan_but_no_check(
    larp: Larp, hero_project: ForeignProject, other_squawk: Path
) -> None:
    """The plan says what is missing; a check cannot be answered and names the extra."""
    hero_project.revision("drop", sql("DROP TABLE hero"), after="hero")

    shown = larp("db", "plan")
    outcome = larp("db", "plan", "--json")
    checked = larp("db", "plan", "--check", "--json")

    assert shown.exit_code == ExitCode.OK
    assert "DROP TABLE hero;" in shown.stdout
    assert "hazards not checked; to check them: pip install 'larp-cli[lint]'" in shown.stdout
    assert outcome.result["hazards_checked"] is False
    assert checked.exit_code == ExitCode.CONFIGURATION
    assert checked.document["error"]["hint"] == "pip install 'larp-cli[lint]'"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exec /bin/sleep 60", "did not finish within"),
        ("echo broken >&2; exit 7", "squawk failed: broken"),
        ("exit 7", "exit status 7"),
    ],
)
def test_a_squawk_that_fails_is_an_error_in_time(
    larp: Larp,
    hero_project: ForeignProject,
    other_squawk: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    message: str,
) -> None:
    """A linter that hangs or breaks does not pass for one that found nothing."""
    hero_project.revision("drop", sql("DROP TABLE hero"), after="hero")
    other_squawk.write_text(f"#!/bin/sh\n{script}\n")
    other_squawk.chmod(0o755)
    monkeypatch.setattr(squawk, "SQUAWK_TIMEOUT", 0.3)

    outcome = larp("db", "plan", "--json")

    assert outcome.exit_code == ExitCode.FAILURE
    assert message in outcome.document["error"]["message"]


def test_a_squawk_that_cannot_be_run_is_an_error(
    larp: Larp, hero_project: ForeignProject, other_squawk: Path
) -> None:
    """A file that is no program is told as such."""
    hero_project.revision("drop", sql("DROP TABLE hero"), after="hero")
    other_squawk.write_text("")

    outcome = larp("db", "plan", "--json")

    assert outcome.exit_code == ExitCode.FAILURE
    assert "squawk failed" in outcome.document["error"]["message"]
