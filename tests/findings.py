"""Asking ``larp db check``, and models and a revision that equal each other."""

from __future__ import annotations

from larp_cli.errors import ExitCode
from tests.conftest import Larp, Outcome
from tests.servers import PASSWORD

MODELS = """
sa.Table(
    "hero", target_metadata, sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False), sa.Column("age", sa.Integer),
    sa.Index("ix_hero_name", "name"),
)
"""
HERO = """
op.create_table(
    "hero", sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False), sa.Column("age", sa.Integer),
)
op.create_index("ix_hero_name", "hero", ["name"])
"""


def check(larp: Larp, *arguments: str) -> Outcome:
    """Check; whatever is found, nothing is changed and each finding is in the message."""
    outcome = larp("db", "check", "--json", *arguments)
    assert outcome.exit_code == outcome.document["exit_code"]
    assert outcome.document["changed"] is False
    for finding in outcome.result["findings"]:
        assert finding["code"] in outcome.document["error"]["message"]
    assert PASSWORD not in outcome.stdout + outcome.stderr
    return outcome


def found(outcome: Outcome) -> list[tuple[str, str]]:
    """List the findings as code and message."""
    assert (outcome.exit_code == ExitCode.NEGATIVE) == bool(outcome.result["findings"])
    return [(finding["code"], finding["message"]) for finding in outcome.result["findings"]]


def codes(outcome: Outcome) -> list[str]:
    """List the codes of the findings."""
    return [code for code, _ in found(outcome)]
