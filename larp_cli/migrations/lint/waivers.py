"""Read the comments in which a revision file accepts hazards: ``# larp: allow RULE: REASON``."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from larp_cli.results import Hazard

WAIVER_WITHOUT_REASON = "waiver-without-reason"

_COMMENT = re.compile(r"#\s*larp:\s*allow\s+(?P<rule>[\w-]+)\s*(?::\s*(?P<reason>.*?))?\s*$")


def read_waivers(path: Path) -> dict[str, str]:
    """Return the rules that a revision file accepts, with the reasons; some may be empty."""
    if path.suffix != ".py":  # a compiled file has no comments
        return {}
    with tokenize.open(path) as file:
        comments = (
            token.string
            for token in tokenize.generate_tokens(file.readline)
            if token.type == tokenize.COMMENT
        )
        found = (match for match in map(_COMMENT.match, comments) if match)
        return {match["rule"]: match["reason"] or "" for match in found}


def apply_waivers(hazards: Iterable[Hazard], waivers: Mapping[str, str]) -> Iterator[Hazard]:
    """Mark the hazards that are accepted; a waiver without a reason is a hazard itself."""
    for hazard in hazards:
        yield replace(hazard, waived=waivers.get(hazard.rule) or None)
    for rule, reason in waivers.items():
        if not reason:
            yield Hazard(
                rule=WAIVER_WITHOUT_REASON,
                message=f"the waiver of {rule} has no reason, so it does not count",
                advice=f"# larp: allow {rule}: the reason",
                statement=None,
                waived=None,
            )
