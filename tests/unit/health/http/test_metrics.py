"""The metrics, as Prometheus reads them."""

from __future__ import annotations

import re
import sys

import prometheus_client
import pytest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.parser import text_string_to_metric_families

from larp_cli import __version__
from larp_cli.health.checks import NAMES
from larp_cli.health.http import metrics
from larp_cli.health.monitor import Monitor
from larp_cli.results.health import CheckStatus
from tests import monitors

Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


def scraped(made: Monitor, *, details: bool = False) -> Samples:
    """Read the metrics: by name, and then by their labels."""
    samples: Samples = {}
    for family in text_string_to_metric_families(exposed(made, details=details)):
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            samples.setdefault(sample.name, {})[labels] = sample.value
    return samples


def exposed(made: Monitor, *, details: bool = False) -> str:
    """Give the text of the metrics."""
    body = metrics.render_metrics(made, details=details)
    assert body is not None
    return body.decode()


def test_a_ready_database_is_up_and_ready() -> None:
    """What is well is 1, with its age, its checks and nothing pending."""
    samples = scraped(monitors.monitor(monitors.report()))

    assert samples["larp_up"] == {(): 1.0}
    assert samples["larp_ready"] == {(): 1.0}
    assert samples["larp_pending_revisions"] == {(): 0.0}
    assert samples["larp_build_info"] == {(("version", __version__),): 1.0}
    assert 0 <= samples["larp_monitor_age_seconds"][()] < 60
    assert samples["larp_check_duration_seconds"][(("check", "database"),)] == 0.0012


def test_a_check_has_exactly_one_status() -> None:
    """Of the three series of a check one is 1, and it is the right one."""
    states = scraped(monitors.monitor(monitors.warned()))["larp_check_status"]

    for name in NAMES:
        is_one = [
            status
            for status in CheckStatus
            if states[(("check", name), ("status", status.value))] == 1.0
        ]
        assert is_one == [CheckStatus.WARN if name == "connections" else CheckStatus.PASS]
    assert len(states) == 3 * len(NAMES)


def test_a_warning_is_ready() -> None:
    """A warning takes no service out of use."""
    assert scraped(monitors.monitor(monitors.warned()))["larp_ready"] == {(): 1.0}


def test_pending_revisions_are_counted() -> None:
    """A database that is behind is up, but not ready."""
    samples = scraped(monitors.monitor(monitors.behind()))

    assert samples["larp_up"] == {(): 1.0}
    assert samples["larp_ready"] == {(): 0.0}
    assert samples["larp_pending_revisions"] == {(): 2.0}


def test_a_database_that_does_not_answer_is_down() -> None:
    """What could not be found out is absent, and never a comforting 0."""
    samples = scraped(monitors.monitor(monitors.report(), monitors.unanswered()), details=True)

    assert samples["larp_up"] == {(): 0.0}
    assert samples["larp_ready"] == {(): 0.0}
    assert "larp_pending_revisions" not in samples
    assert "larp_revision_info" not in samples
    assert (("check", "version"),) not in samples["larp_check_duration_seconds"]


def test_before_the_first_look_only_what_is_known_is_there() -> None:
    """A server that has only just started is neither up nor ready, and says no more."""
    samples = scraped(monitors.monitor(), details=True)

    assert samples.keys() == {"larp_up", "larp_ready", "larp_build_info"}
    assert samples["larp_up"] == samples["larp_ready"] == {(): 0.0}


def test_a_stalled_monitor_is_down() -> None:
    """However well the last look went, an old one counts for nothing."""
    samples = scraped(monitors.stalled(monitors.report()))

    assert samples["larp_up"] == samples["larp_ready"] == {(): 0.0}


def test_a_draining_server_is_up_but_not_ready() -> None:
    """Draining says something of the server, and nothing of the database."""
    made = monitors.monitor(monitors.report())
    made.drain()
    samples = scraped(made)

    assert samples["larp_up"] == {(): 1.0}
    assert samples["larp_ready"] == {(): 0.0}


def test_the_revision_is_a_detail() -> None:
    """The revision is told to those who may see details, and to nobody else."""
    made = monitors.monitor(monitors.report())

    assert monitors.REVISION not in exposed(made)
    revisions = scraped(made, details=True)["larp_revision_info"]
    assert revisions == {(("revision", monitors.REVISION),): 1.0}


def test_nothing_of_the_database_is_told_without_the_right() -> None:
    """No host, user, database or text of a driver is ever in the metrics."""
    text = exposed(monitors.monitor(monitors.unanswered()), details=True)

    for word in (monitors.HOST, monitors.USER, monitors.DATABASE, "sesame", "connection to server"):
        assert word not in text


def test_a_hostile_revision_stays_one_label() -> None:
    """Quotes, backslashes and line ends in a stamp do not end the line."""
    hostile = 'a"} 1\nlarp_up 1\\'
    samples = scraped(monitors.monitor(monitors.report(current=(hostile,))), details=True)

    assert samples["larp_revision_info"] == {(("revision", hostile),): 1.0}


def test_the_names_follow_the_conventions() -> None:
    """What ``promtool check metrics`` would find fault with is not there."""
    text = exposed(monitors.monitor(monitors.warned()), details=True)

    assert text.endswith("\n")
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    for family in families:
        assert re.fullmatch(r"larp(_[a-z]+)+", family.name)
        assert family.documentation.endswith(".")
        assert family.type == "gauge"
        assert not family.name.endswith(("_total", "_count", "_sum", "_bucket", "_gauge"))
        assert not re.search(r"_(milliseconds|ms|minutes|percent)(_|$)", family.name)
        for sample in family.samples:
            assert all(re.fullmatch(r"[a-z]+", label) for label in sample.labels)
            assert all(label not in family.name.split("_") for label in ("le", "quantile"))


def test_each_series_is_there_once() -> None:
    """A scrape with a series twice would be refused as a whole."""
    text = exposed(monitors.monitor(monitors.warned()), details=True)
    series = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]

    assert len(set(series)) == len(series)


def test_a_scrape_leaves_nothing_behind() -> None:
    """The registry that a whole process shares knows nothing of ours."""
    made = monitors.monitor(monitors.report())
    assert exposed(made).splitlines()[0] == exposed(made).splitlines()[0]

    assert "larp_" not in prometheus_client.generate_latest().decode()


def test_the_content_type_is_the_format_that_is_written() -> None:
    """Prometheus chooses its parser by the content type."""
    assert metrics.CONTENT_TYPE == CONTENT_TYPE_PLAIN_0_0_4


def test_without_the_client_there_are_no_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra need not be installed."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)

    assert metrics.render_metrics(monitors.monitor(monitors.report()), details=True) is None
