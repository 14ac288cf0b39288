"""The pages for people: what they say, to whom, and that nothing in them can be more than text."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from larp_cli.health.http.chart import chart
from larp_cli.health.http.formatting import REASONS, format_duration, format_latency, text
from larp_cli.health.http.openapi import load_document
from larp_cli.health.http.pages import HtmlPage, docs_page, status_page
from larp_cli.health.monitor import Monitor
from larp_cli.results.health import CheckStatus, HealthReport, Reason
from tests import monitors

HOSTILE = "</td><script>alert('x')</script>\"&<img src=x onerror=alert(1)>"


class Elements(HTMLParser):
    """Takes a page apart; an element that is left open, or closed twice, is an error."""

    EMPTY = frozenset({"meta", "link", "input", "br", "path", "rect"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.contents: dict[str, list[str]] = {}
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"{tag} has an attribute twice"
        self.found.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that closes itself, as there are in SVG."""
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Expect the element that was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note what stands in an element."""
        if self.open:
            self.contents.setdefault(self.open[-1], []).append(data)

    def count(self, tag: str) -> int:
        """Count the elements of a kind."""
        return sum(found == tag for found, _ in self.found)


def shown(made: Monitor, *, details: bool = False, project: str = "LARP Manager") -> HtmlPage:
    """Render the status page."""
    return status_page(made, project=project, api_prefix="/api/v1", details=details)


def words(page: HtmlPage) -> str:
    """Give what stands on a page, without elements, style and script."""
    bare = re.sub(r"<(style|script|title)>.*?</\1>", "", page.html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", bare))


def every_page() -> list[HtmlPage]:
    """Render the pages in all their variety."""
    made = monitors.monitor(*monitors.looks([0.001, None, 0.002, 0.004]), monitors.warned())
    return [
        shown(made),
        shown(made, details=True),
        shown(monitors.monitor()),
        docs_page(load_document("LARP Manager", "/api/v1")),
    ]


@pytest.mark.parametrize(
    ("made", "state", "why"),
    [
        (
            monitors.report(),
            "Ready",
            "The database answers, accepts writes, and has every migration.",
        ),
        (monitors.warned(), "Ready, with a warning", "Few database connections are free."),
        (monitors.behind(), "Not ready", "A migration is pending."),
        (monitors.unanswered(), "Not ready", "The database refuses connections."),
    ],
    ids=["ready", "warned", "behind", "unanswered"],
)
def test_the_state_stands_in_words(made: HealthReport, state: str, why: str) -> None:
    """The page says in words how it stands, and why; colour only repeats it."""
    page = shown(monitors.monitor(made))

    assert f"{state} {why}" in re.sub(r" +", " ", words(page))
    assert f"<title>{state}: LARP Manager</title>" in page.html


def test_every_reason_has_words() -> None:
    """A reason that is added cannot be forgotten on the page."""
    assert set(REASONS) == set(Reason)


def test_before_the_first_look_the_page_says_so() -> None:
    """A server that has only just started shows no times of a look."""
    page = words(shown(monitors.monitor(), details=True))

    assert "The database has not been checked yet." in page
    assert "Last check" not in page


@pytest.mark.parametrize("state", ["draining", "stalled"])
def test_what_nobody_noted_the_beginning_of_has_no_since(state: str) -> None:
    """While the server ends, or looks no more, the page does not say since when."""
    made = monitors.monitor(monitors.report())
    if state == "draining":
        made.drain()
    else:
        made = monitors.stalled(monitors.report())
    page = words(shown(made))

    assert "Not ready" in page
    assert "Since" not in page
    assert "Last check" in page


def test_details_are_for_those_who_may_see_them() -> None:
    """Without the right there is no host, user, database, revision or text of a check."""
    made = monitors.monitor(*monitors.looks([0.001, 0.002]), monitors.unanswered())
    page = shown(made).html

    for word in (
        monitors.HOST,
        monitors.USER,
        monitors.DATABASE,
        monitors.REVISION,
        "sesame",
        "connection to server",
        "5432",
        "<table",
        "<figure",
    ):
        assert word not in page
    assert "Details are visible with the details token" in page


def test_details_show_every_check() -> None:
    """With the right there are revision, pending, checks with their hints, and the chart."""
    made = monitors.monitor(*monitors.looks([0.001, None, 0.002]), monitors.behind())
    page = shown(made, details=True)
    told = words(page)

    assert monitors.REVISION in told
    assert "2: 0008_add_stories , 0009_add_places" in told
    assert "2 revisions are pending" in told
    assert "larp db migrate" in told
    assert Elements(page.html).count("figure") == 1


def test_many_pending_revisions_are_counted() -> None:
    """A long list is cut short, and says by how much."""
    pending = tuple(f"{number:04}" for number in range(12))
    told = words(shown(monitors.monitor(monitors.report(pending=pending)), details=True))

    assert "12: 0000 , 0001 , 0002 , 0003 , 0004 and 7 more" in told


def test_checks_that_were_not_made_are_named() -> None:
    """Where the database does not answer, the page says what nobody knows."""
    told = words(shown(monitors.monitor(monitors.unanswered()), details=True))

    assert "Skipped, because the database did not answer: version, writable," in told
    assert "Revision unknown" in told


def test_no_password_is_on_the_page() -> None:
    """The password is on no page, whoever asks."""
    assert "sesame" not in shown(monitors.monitor(monitors.report()), details=True).html


def test_hostile_text_stays_text() -> None:
    """Whatever a database, a revision or a setting is called, it makes no element."""
    check = monitors.check(
        "extensions",
        status=CheckStatus.WARN,
        reason=Reason.EXTENSION_MISSING,
        observed=HOSTILE,
        hint=HOSTILE,
    )
    report = monitors.report(check, current=(HOSTILE,), pending=(HOSTILE,), skipped=(HOSTILE,))
    page = shown(monitors.monitor(report), details=True, project=HOSTILE)
    elements = Elements(page.html)

    assert elements.count("script") == 1
    assert elements.count("img") == 0
    assert "&lt;script&gt;alert(" in page.html
    assert page.html.count("alert(") == page.html.count("&lt;script&gt;alert(") * 2


def test_half_a_character_does_not_end_the_page() -> None:
    """Text that is no Unicode is shown with a question mark, and can be sent."""
    assert text("a\udcffb") == "a?b"


@pytest.mark.parametrize("page", every_page())
def test_a_page_is_well_formed(page: HtmlPage) -> None:
    """Each page has a language, a title, one h1, ids that are its own, and no broken element."""
    elements = Elements(page.html)
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]

    assert page.html.startswith("<!doctype html>\n")
    assert ("html", {"lang": "en"}) in elements.found
    assert elements.count("h1") == elements.count("title") == elements.count("main") == 1
    assert len(set(ids)) == len(ids)
    assert "$" not in words(page)


@pytest.mark.parametrize("page", every_page())
def test_a_page_loads_nothing(page: HtmlPage) -> None:
    """No address on a page leads elsewhere, and no element has a style or a handler of its own."""
    for tag, attributes in Elements(page.html).found:
        assert tag not in {"img", "iframe", "object", "embed", "base"}
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        assert not attributes.get("src")
        address = attributes.get("href") or ""
        assert not re.match(r"[a-z]+://|//", address)
        assert tag == "link" or not address.startswith("data:")
    assert not re.search(r"@import|url\(|https?://", page.html)


@pytest.mark.parametrize("page", every_page())
def test_the_policy_lets_in_what_is_on_the_page_and_no_more(page: HtmlPage) -> None:
    """The hashes of the policy are those of the one style and the one script."""
    elements = Elements(page.html)
    policy = dict(
        part.strip().partition(" ")[::2] for part in page.content_security_policy.split(";")
    )

    assert policy["default-src"] == "'none'"
    for name in ("base-uri", "form-action", "frame-ancestors"):
        assert policy[name] == "'none'"
    assert "unsafe" not in page.content_security_policy
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        content = "".join(elements.contents.get(tag, []))
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert policy.get(directive) == (f"'sha256-{digest}'" if content else None)
    assert policy.get("connect-src") == ("'self'" if "script" in elements.contents else None)


def test_the_page_refreshes_without_scripts() -> None:
    """Where scripts are off, the browser itself loads the page again."""
    assert (
        '<noscript><meta http-equiv="refresh" content="5"></noscript>'
        in shown(monitors.monitor()).html
    )


def test_the_chart_breaks_where_there_was_no_answer() -> None:
    """Looks without an answer are bars, and the line does not cross them."""
    made = monitors.monitor(*monitors.looks([0.001, 0.002, None, None, 0.003, 0.001, None, 0.002]))
    drawing = chart(made.samples)

    assert drawing.count('class="line"') == 3
    assert drawing.count('class="miss"') == 2
    assert "answered 5 of 8 checks" in drawing
    assert "usually within 2.0 ms, at most 3.0 ms" in drawing
    assert "<span>5 ms</span>" in drawing


def test_the_chart_breaks_where_nobody_looked() -> None:
    """A long time without a look is a gap, and no straight line."""
    before = monitors.looks([0.001] * 5)
    long_ago = [
        monitors.report(checked_at=report.checked_at - timedelta(minutes=5)) for report in before
    ]

    assert chart(monitors.monitor(*long_ago, *before).samples).count('class="line"') == 2


def test_the_chart_stays_in_its_frame() -> None:
    """Neither a clock that was set back nor one slow answer draws outside."""
    reports = monitors.looks([0.001, 5.0, None, 0.0, 0.002])
    reports.insert(2, monitors.report(checked_at=datetime.now(UTC) - timedelta(hours=1)))
    drawing = chart(monitors.monitor(*reports).samples)

    points = [
        (float(x), float(y))
        for path in re.findall(r' d="M([^"]+)"', drawing)
        for x, y in re.findall(r"([-\d.]+) ([-\d.]+)", path)
    ]
    assert len(points) == 5
    assert all(0 <= x <= 600 and 0 <= y <= 100 for x, y in points)


def test_a_chart_without_an_answer_says_so() -> None:
    """A database that never answered has bars only."""
    drawing = chart(monitors.monitor(*monitors.looks([None, None, None])).samples)

    assert 'class="line"' not in drawing
    assert "answered none of 3 checks" in drawing


def test_one_look_is_no_chart() -> None:
    """There is nothing to draw before the second look."""
    assert chart(monitors.monitor(monitors.report()).samples) == ""


def test_looks_of_the_same_moment_are_drawn() -> None:
    """A clock that stands still divides nothing by zero."""
    now = datetime.now(UTC)
    reports = [monitors.report(checked_at=now) for _ in range(3)]

    assert chart(monitors.monitor(*reports).samples).count('class="line"') == 1


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-0.1, "0 seconds"),
        (1.9, "1 second"),
        (59.9, "59 seconds"),
        (60, "1 minute"),
        (7_200, "2 hours"),
        (200_000, "2 days"),
    ],
)
def test_a_span_of_time_is_told_in_its_largest_unit(seconds: float, told: str) -> None:
    """People read minutes and days, not thousands of seconds."""
    assert format_duration(seconds) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.00042, "0.4 ms"), (0.0123, "12 ms"), (0.9994, "999 ms"), (2.5, "2.5 s")],
)
def test_a_latency_is_told_in_milliseconds(seconds: float, told: str) -> None:
    """A latency has as many digits as are of use."""
    assert format_latency(seconds) == told


def test_the_docs_show_every_path_and_schema() -> None:
    """What is in the document is on the page, and each link on it leads somewhere."""
    given = load_document("LARP Manager", "/api/v1")
    page = docs_page(given)
    elements = Elements(page.html)
    told = words(page)

    for path in given["paths"]:
        assert f"GET, HEAD {path} " in told
    ids = {attributes.get("id") for _, attributes in elements.found}
    links = {attributes["href"] for tag, attributes in elements.found if tag == "a"}
    assert {"./", "openapi.json"} < links
    assert {str(link)[1:] for link in links if str(link).startswith("#")} < ids
    assert {f"schema-{name}" for name in given["components"]["schemas"]} < ids


def test_a_hostile_project_name_stays_text_in_the_docs() -> None:
    """The name of the project comes from a setting, and is only text."""
    elements = Elements(docs_page(load_document(HOSTILE, "/api/v1")).html)

    assert elements.count("script") == elements.count("img") == 0
