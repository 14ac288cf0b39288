"""What a test needs and does not find: skipped at a desk, a failure in CI."""

from __future__ import annotations

import pytest

from tests.servers import unavailable

ABSENT = "PgBouncer is not installed"


def test_at_a_desk_it_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to install everything to run the tests."""
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match=ABSENT):
        unavailable(ABSENT, program="pgbouncer")


@pytest.mark.parametrize("without", ["", "chromium"])
def test_in_ci_it_is_a_failure(monkeypatch: pytest.MonkeyPatch, without: str) -> None:
    """What is promised there has to be tested there."""
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("LARP_TEST_WITHOUT", without)

    with pytest.raises(pytest.fail.Exception, match=ABSENT):
        unavailable(ABSENT, program="pgbouncer")


def test_in_ci_it_is_skipped_where_that_was_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    """.ci/run says which programs it could not install, and that it goes on without them."""
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("LARP_TEST_WITHOUT", "chromium,pgbouncer")

    with pytest.raises(pytest.skip.Exception, match=ABSENT):
        unavailable(ABSENT, program="pgbouncer")
