"""A process of ``larp serve``: start it, ask it, end it."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.processes import PATIENCE

QUICK = {"HEALTH_INTERVAL": "0.2", "HEALTH_DEADLINE": "0.5", "SERVE_DRAIN_SECONDS": "0"}


@dataclass(frozen=True)
class Answer:
    """One answer of the server."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        """The body as JSON."""
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed


@dataclass(frozen=True)
class Running:
    """A server that runs."""

    process: subprocess.Popen[str]
    url: str
    port: int

    @classmethod
    def announced(cls, process: subprocess.Popen[str]) -> Running:
        """Wait for the document in which ``larp serve --json`` says where it serves."""
        assert process.stdout is not None
        text = ""
        while not text.endswith("\n}\n"):
            line = process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            text += line
        document = json.loads(text)
        assert document["exit_code"] == 0
        assert document["result"]["pid"] == process.pid
        address = document["result"]["url"]
        return cls(process, address, int(address.rpartition(":")[2]))

    @property
    def is_ready(self) -> bool:
        """Whether its database is fit for use."""
        return self.ask("/health/ready").status == 200

    def ask(
        self, path: str, method: str = "GET", *, body: bytes | None = None, **headers: str
    ) -> Answer:
        """Ask it once, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            named = {name.replace("_", "-"): text for name, text in headers.items()}
            connection.request(method, path, body=body, headers=named)
            response = connection.getresponse()
            given = {name.lower(): text for name, text in response.getheaders()}
            return Answer(response.status, given, response.read())
        finally:
            connection.close()

    def reason(self, path: str = "/health/ready") -> str | None:
        """Ask for the reason alone."""
        found: str | None = self.ask(path).said.get("reason")
        return found

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """End it; returns its exit code, and what it logged."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors


type Serve = Callable[..., Running]
