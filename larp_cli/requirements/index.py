"""The parts of the user's pip configuration that must stay private: indexes and passwords."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from larp_cli.requirements.pip_api import read_settings
from larp_cli.system.processes import end_process_group

PUBLIC = ("pypi.org", "files.pythonhosted.org", "/simple", "/simple/")
_SETTING = re.compile(r"[\w.:-]*(?:index-url|find-links|trusted-host|proxy|index)")
_VARIABLE = re.compile(
    r"(?:PIP|UV)_\w*(?:INDEX(?:_URL)?|FIND_LINKS|TRUSTED_HOST|PROXY)|"
    r"UV_INDEX_\w+_(?:USERNAME|PASSWORD)|UV_INSECURE_HOST|(?:HTTPS?|ALL)_PROXY",
    re.IGNORECASE,
)
_CREDENTIALS = re.compile(r"(?<=://)\S*@")
_ANY_URL = re.compile(r"\S*://\S*")
_SECONDS = 30.0


class PrivateWords:
    """Collects them while the first compilation runs, because pip takes a while to list them."""

    def __init__(self, root: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "config", "list"],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self._words: tuple[str, ...] | None = None
        self._complete = False

    def __enter__(self) -> PrivateWords:
        return self

    def __exit__(self, *_exception: object) -> None:
        with self._process:
            end_process_group(self._process)

    def words(self) -> tuple[str, ...]:
        """Return hosts, paths, users and passwords that must not be seen, the longest first."""
        if self._words is None:
            try:
                told = self._process.communicate(timeout=_SECONDS)[0]
                self._complete = self._process.returncode == 0
            except subprocess.TimeoutExpired:
                told = ""
            values = [value for name, value in read_settings(told) if _SETTING.fullmatch(name)]
            values += [value for name, value in os.environ.items() if _VARIABLE.fullmatch(name)]
            words = {word for value in values for word in _words_of(value)}
            self._words = tuple(sorted(words, key=len, reverse=True))
        return self._words

    def hide(self, text: str) -> str:
        """Replace every such word, or every URL if pip did not list its settings."""
        for word in self.words():
            text = text.replace(word, "***")
        return _CREDENTIALS.sub("***@", text) if self._complete else _ANY_URL.sub("***", text)


def _words_of(value: str) -> set[str]:
    """Take the values of one setting apart: there may be several, separated by white space."""
    words: set[str] = set()
    for part in re.split(r"[\s,]+", value):
        if "://" not in part:
            words.add(part)
            continue
        named = re.sub(r"^\w[\w.-]*=", "", part)  # as uv writes it: NAME=URL
        try:
            url = urlsplit(named)
            words |= {named, url.netloc, url.netloc.rpartition("@")[2], url.path}
            words |= {url.hostname or ""}
        except ValueError:  # no URL after all
            words.add(named)
            continue
        for secret in (url.username, url.password):
            words |= {secret, unquote(secret)} if secret else set()
    return {word for word in words if len(word) > 3 and word not in PUBLIC}
