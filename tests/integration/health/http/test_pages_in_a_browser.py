"""The pages in a real browser: what a person sees, and what the browser finds fault with."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from larp_cli.health.monitor import Monitor
from tests import monitors
from tests.browsers import ELSEWHERE, PATIENCE, TOKEN, Browser, Site
from tests.databases import until
from tests.servers import unavailable

SWITCHES = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """One browser for all tests here, with a profile of its own."""
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        unavailable("chromium and chromedriver are not installed", program="chromium")
    options = ChromeOptions()
    options.binary_location = chromium
    profile: Path = tmp_path_factory.mktemp("profile")
    for switch in (*SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with Chrome(options=options, service=Service(chromedriver)) as chrome:
        chrome.set_page_load_timeout(PATIENCE)
        chrome.set_script_timeout(PATIENCE)
        yield chrome


@pytest.fixture
def browser(driver: Chrome) -> Iterator[Browser]:
    """The browser with a fresh tab, and nothing on its console."""
    before = driver.current_window_handle
    driver.switch_to.new_window("tab")
    fresh = driver.current_window_handle
    driver.switch_to.window(before)
    driver.close()
    driver.switch_to.window(fresh)
    browser = Browser(driver)
    browser.complaints()
    browser.requested()
    yield browser
    driver.get("about:blank")


@pytest.fixture
def serve() -> Iterator[Callable[..., Site]]:
    """Serve a monitor."""
    sites: list[Site] = []

    def start(monitor: Monitor, *, host: str = "127.0.0.1") -> Site:
        site = Site(monitor, host=host)
        sites.append(site)
        site.start()
        return site

    yield start
    for site in sites:
        site.stop()


Serve = Callable[..., Site]


def test_the_page_refreshes_itself(browser: Browser, serve: Serve) -> None:
    """Whoever leaves the page open sees the state change, in its title too."""
    site = serve(monitors.monitor(monitors.report()))
    browser.open(site.url)
    assert browser.text("state").split("\n")[0] == "Ready"
    assert browser.driver.title == "Ready: LARP Manager"

    monitors.note(site.monitor, monitors.behind())
    until(lambda: "Not ready" in browser.text("state"))

    assert "A migration is pending." in browser.text("state")
    assert "schema_behind" in browser.text("facts")
    assert "0009_add_places" in browser.text("details")
    assert browser.driver.title == "Not ready: LARP Manager"
    assert not browser.complaints()


def test_the_announced_state_stays_while_nothing_changes(browser: Browser, serve: Serve) -> None:
    """A screen reader hears of a change, and is not told the same every five seconds."""
    site = serve(monitors.monitor(monitors.report()))
    browser.open(site.url)
    browser.driver.execute_script(
        "window.before = document.getElementById('state').firstChild;"
        "window.facts = document.getElementById('facts').firstChild;"
    )

    until(
        lambda: browser.driver.execute_script(
            "return window.facts !== document.getElementById('facts').firstChild"
        )
    )

    assert browser.driver.execute_script(
        "return window.before === document.getElementById('state').firstChild"
    )


def test_the_token_shows_details(browser: Browser, serve: Serve) -> None:
    """From elsewhere the token shows what it protects, until it is forgotten."""
    site = serve(monitors.monitor(monitors.warned()), host=ELSEWHERE)
    browser.open(site.url)
    assert "Details are visible with the details token" in browser.text("access")
    assert browser.text("details") == ""

    browser.submit(TOKEN)
    until(lambda: browser.text("details"))

    assert "82 of 97 connections used" in browser.text("details")
    assert not browser["form"].is_displayed()
    browser.driver.refresh()
    until(lambda: browser.text("details"))
    assert TOKEN not in browser.driver.page_source
    assert TOKEN not in browser.driver.current_url
    browser["forget"].click()
    until(lambda: not browser.text("details"))
    assert browser["form"].is_displayed()
    assert browser.driver.execute_script("return sessionStorage.length + localStorage.length") == 0
    assert not browser.complaints()


@pytest.mark.parametrize("token", ["guessed", "gu essed", "gueßed"])
def test_a_wrong_token_is_told(browser: Browser, serve: Serve, token: str) -> None:
    """A token that is not the right one is neither accepted nor kept."""
    site = serve(monitors.monitor(monitors.report()), host=ELSEWHERE)
    browser.open(site.url)

    browser.submit(token)
    until(lambda: browser.text("told"))

    assert browser.text("told") == "The server rejected this token."
    assert browser["form"].is_displayed()
    assert browser.text("details") == ""
    assert browser.driver.execute_script("return sessionStorage.length") == 0
    assert not browser.complaints()


def test_what_is_typed_survives_a_refresh(browser: Browser, serve: Serve) -> None:
    """The page may refresh itself under somebody who types the token."""
    site = serve(monitors.monitor(monitors.report()), host=ELSEWHERE)
    browser.open(site.url)
    browser["token"].send_keys("half of")

    monitors.note(site.monitor, monitors.behind())
    browser.come_back()
    until(lambda: "Not ready" in browser.text("state"))

    assert browser["token"].get_attribute("value") == "half of"
    assert browser.driver.switch_to.active_element == browser["token"]


def test_a_server_that_does_not_answer_is_told(browser: Browser, serve: Serve) -> None:
    """The page does not go on saying "ready" when nobody says so any more."""
    site = serve(monitors.monitor(monitors.report()))
    browser.open(site.url)
    assert not browser["lost"].is_displayed()

    site.stop()
    browser.come_back()
    until(lambda: browser["lost"].is_displayed())

    assert browser.text("lost").startswith("No answer from the server since ")
    assert browser.driver.title.startswith("No answer: ")
    site.start()
    browser.come_back()
    until(lambda: not browser["lost"].is_displayed())
    assert browser.driver.title == "Ready: LARP Manager"


@pytest.mark.parametrize("path", ["", "docs"])
@pytest.mark.parametrize("host", ["127.0.0.1", ELSEWHERE])
def test_a_phone_needs_no_scrolling_to_the_side(
    browser: Browser, serve: Serve, path: str, host: str
) -> None:
    """On 320 pixels everything fits, long names and messages too."""
    long = monitors.check("schema", observed="x" * 200, hint="y" * 200)
    looks = monitors.looks([0.001, None, 0.003] * 30)
    site = serve(monitors.monitor(*looks, monitors.report(long, pending=("z" * 99,))), host=host)
    browser.width(320)
    browser.open(site.url + path)

    assert browser.driver.execute_script("return innerWidth") == 320
    assert browser.driver.execute_script("return document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize("path", ["", "docs"])
def test_a_page_asks_nobody_else(browser: Browser, serve: Serve, path: str) -> None:
    """No request leaves for another server, and the policy has nothing to forbid."""
    looks = monitors.looks([0.001, None, 0.003])
    site = serve(monitors.monitor(*looks, monitors.behind()))
    browser.open(site.url + path)
    requested = browser.requested()
    if not path:
        browser.come_back()

        def has_asked_twice() -> bool:
            requested.extend(browser.requested())
            return requested.count(site.url) == 2

        until(has_asked_twice)

    assert site.url + path in requested
    for url in requested:
        assert url.startswith("data:image/svg+xml,") or urlsplit(url).port == site.port
    assert not browser.complaints()


def test_the_policy_stops_what_was_slipped_in(browser: Browser, serve: Serve) -> None:
    """Were hostile text ever to become a script or a style, the browser would not take it."""
    site = serve(monitors.monitor(monitors.report()))
    browser.open(site.url)

    taken = browser.driver.execute_script(
        "const script = document.createElement('script');"
        "try { script.text = 'window.taken = true'; } catch { return 'forbidden' }"
        "document.body.append(script); return window.taken"
    )

    assert taken == "forbidden"
    assert browser.complaints()


def test_the_page_works_without_scripts(browser: Browser, serve: Serve) -> None:
    """With scripts off the page shows the state, refreshes itself, and offers no dead form."""
    site = serve(monitors.monitor(monitors.report()), host=ELSEWHERE)
    browser.command("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(site.url)
        assert "Ready" in browser["state"].text
        assert "Details are visible with the details token" in browser["access"].text
        assert not browser["form"].is_displayed()

        monitors.note(site.monitor, monitors.behind())
        until(lambda: browser.driver.title == "Not ready: LARP Manager")
    finally:
        browser.command("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_schemes(browser: Browser, serve: Serve, scheme: str) -> None:
    """Every colour of text has the contrast of WCAG AA, by day and by night."""
    site = serve(monitors.monitor(monitors.behind()))
    browser.command(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
    )
    browser.open(site.url)

    colours = browser.driver.execute_script(
        "const style = getComputedStyle(document.documentElement);"
        "return Object.fromEntries(['ground', 'surface', 'ink', 'soft', 'link', 'pass', 'warn',"
        " 'fail'].map((name) => [name, style.getPropertyValue('--' + name).trim()]))"
    )
    grounds = [colours.pop("ground"), colours.pop("surface")]

    assert (luminance(grounds[0]) > 0.5) == (scheme == "light")
    for name, colour in colours.items():
        for ground in grounds:
            assert contrast(colour, ground) >= 4.5, name


def contrast(one: str, other: str) -> float:
    """Give the contrast of two colours, as WCAG 2 defines it."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """Give the relative luminance of a colour like ``#fff`` or ``#1c2024``."""
    digits = colour.removeprefix("#")
    digits = digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
