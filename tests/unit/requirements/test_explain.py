"""Explaining the output of a resolver in one sentence."""

from __future__ import annotations

import pytest

from larp_cli.requirements.explain import FailureKind, explain_failure

CAUSED = """  ERROR: Cannot install x because these package versions have conflicting dependencies.

  The conflict is caused by:
      alpha 1.0 depends on xray<2
      The user requested click>=8.1
      The user requested (constraint) click==8.0

  To fix this you could try to:
Traceback: ResolutionImpossible
"""
RETRIES = "".join(
    f"WARNING: Retrying (Retry(total={number}, connect=None)) after connection broken\n"
    for number in (4, 3, 2, 1, 0)
)
MISSING = "ERROR: No matching distribution found for "
UV = "error: No solution found when resolving dependencies\n  cause: Because "


@pytest.mark.parametrize(
    ("output", "kind", "message"),
    [
        (
            CAUSED,
            FailureKind.CONFLICT,
            "alpha 1.0 needs xray<2; pyproject.toml requires click>=8.1; dev.txt has click==8.0",
        ),
        ("pip: ResolutionTooDeep: 200000", FailureKind.CONFLICT, "too many versions"),
        (f"{MISSING}no>=3 (from demo)\n", FailureKind.MISSING, "the index has no no>=3"),
        (f"DistributionNotFound: {MISSING}no", FailureKind.MISSING, "the index has no no"),
        (f"{RETRIES}{MISSING}no\n", FailureKind.INDEX, "cannot be reached"),
        (f"{RETRIES[:70]}\n{MISSING}no\n", FailureKind.MISSING, "the index has no no"),
        (
            f"401 Error, Credentials not correct\n{MISSING}x",
            FailureKind.INDEX,
            "rejected the request (401)",
        ),
        ("403 Client Error: Forbidden", FailureKind.INDEX, "rejected the request (403)"),
        (f"403 Client Error: Forbidden\n{CAUSED}", FailureKind.CONFLICT, "alpha 1.0 needs xray<2"),
        (
            f"{UV}all of a depend on x<2\n  we stop.\n\nhint: z",
            FailureKind.CONFLICT,
            "all of a depend on x<2 we stop.",
        ),
        (f"{UV}no was not found in the package registry", FailureKind.MISSING, "has no no"),
        (f"{UV}there is no version of no==9, we stop", FailureKind.MISSING, "has no no==9"),
        ("error: Failed to fetch: `x`\n  cause: dns error", FailureKind.INDEX, "be reached"),
        ("OSError: [Errno 28] No space left on device", FailureKind.OTHER, "the disk is full"),
        ("one\ntwo\n\n", FailureKind.OTHER, "two"),
        ("", FailureKind.OTHER, "wrote nothing"),
    ],
)
def test_every_failure_has_a_sentence_and_a_hint(
    output: str, kind: FailureKind, message: str
) -> None:
    """An unreachable index is never reported as a conflict, which larp would try to solve."""
    failure = explain_failure(output, "dev.txt")

    assert failure.kind is kind
    assert message in failure.message
    assert failure.hint


def test_a_conflict_names_its_packages() -> None:
    """The old pins of these packages are dropped for another attempt."""
    assert explain_failure(CAUSED).names == {"alpha", "xray", "click"}
