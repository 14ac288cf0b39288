"""A browser, a site for it to open, and what a person asks of both."""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from larp_cli.health.http.app import create_app
from larp_cli.health.monitor import Monitor
from tests import monitors
from tests.databases import until

TOKEN = "open-sesame-0123456789"
ELSEWHERE = "larp.test"
"""A name of 127.0.0.1 that is not this machine's own: who uses it sees no details."""
PATIENCE = 20.0
"""Seconds; the page refreshes itself every 5."""


@dataclass
class Site:
    """A server on a port of its own, which can be stopped and started again."""

    monitor: Monitor
    port: int = 0
    host: str = "127.0.0.1"
    _server: uvicorn.Server | None = field(default=None, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """The address of the status page."""
        return f"http://{self.host}:{self.port}/"

    def start(self) -> None:
        """Serve; the monitor looks at nothing, as its thread is not started."""
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        app = create_app(self.monitor, monitors.options(self.monitor, details_token=TOKEN))
        config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, daemon=True
        )
        self._thread.start()
        until(lambda: self._server is not None and self._server.started)

    def stop(self) -> None:
        """Serve no more, and refuse connections."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = self._server.force_exit = True
            self._thread.join(timeout=PATIENCE)
            self._server = self._thread = None


class Browser:
    """A browser, and what a person would ask of it."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def __getitem__(self, element_id: str) -> WebElement:
        """Give the element with an id."""
        return self.driver.find_element(By.ID, element_id)

    def text(self, element_id: str) -> str:
        """Give the text of an element as it can be seen."""
        text: str = self.driver.execute_script(
            "return document.getElementById(arguments[0]).innerText", element_id
        )
        return text

    def open(self, url: str) -> None:
        """Open a page."""
        self.driver.get(url)

    def command(self, name: str, **parameters: Any) -> None:
        """Tell the browser what the DevTools protocol can say."""
        self.driver.execute_cdp_cmd(name, parameters)

    def width(self, pixels: int) -> None:
        """Look at the page on a screen of this width."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=pixels,
            height=700,
            deviceScaleFactor=1,
            mobile=True,
        )

    def come_back(self) -> None:
        """Return to the page, as from another tab: it refreshes itself at once."""
        self.driver.execute_script("document.dispatchEvent(new Event('visibilitychange'))")

    def submit(self, token: str) -> None:
        """Type a token, and send it off."""
        self["token"].send_keys(token)
        self["form"].find_element(By.TAG_NAME, "button").click()

    def complaints(self) -> list[str]:
        """List the messages on the console: errors, and what the policy did not let in."""
        return [entry["message"] for entry in self._log("browser")]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        """Read a log of the browser, which forgets what was read."""
        entries: list[dict[str, Any]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call]
        return entries

    def requested(self) -> list[str]:
        """List what was asked of any server since the last time."""
        messages = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]
