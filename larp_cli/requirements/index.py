"""Hide the private parts of the user's pip configuration: indexes and passwords."""

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
    """Hosts, paths, users and passwords of package indexes, which no output may contain.

    pip lists its settings slowly, so this runs beside the first compilation.
    """

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

    def list_words(self) -> tuple[str, ...]:
        """Return the private words, longest first."""
        if self._words is None:
            self._words = self._collect()
        return self._words

    def _collect(self) -> tuple[str, ...]:
        settings = read_settings(self._read_config())
        values = [value for name, value in settings if _SETTING.fullmatch(name)]
        values += [value for name, value in os.environ.items() if _VARIABLE.fullmatch(name)]
        words = {word for value in values for word in _split_value(value)}
        return tuple(sorted(words, key=len, reverse=True))

    def _read_config(self) -> str:
        """Return what ``pip config list`` writes; nothing if it does not finish in time."""
        try:
            output = self._process.communicate(timeout=_SECONDS)[0]
        except subprocess.TimeoutExpired:
            return ""
        self._complete = self._process.returncode == 0
        return output

    def hide(self, text: str) -> str:
        """Replace every private word, or every URL if pip did not list its settings."""
        for word in self.list_words():
            text = text.replace(word, "***")
        return _CREDENTIALS.sub("***@", text) if self._complete else _ANY_URL.sub("***", text)


def _split_value(value: str) -> set[str]:
    """Return the private words in a setting, which may hold several URLs."""
    words: set[str] = set()
    for part in re.split(r"[\s,]+", value):
        words |= _split_url(part) if "://" in part else {part}
    return {word for word in words if len(word) > 3 and word not in PUBLIC}


def _split_url(text: str) -> set[str]:
    named = re.sub(r"^\w[\w.-]*=", "", text)  # uv writes NAME=URL
    try:
        url = urlsplit(named)
        words = {named, url.netloc, url.netloc.rpartition("@")[2], url.path, url.hostname or ""}
        secrets = [secret for secret in (url.username, url.password) if secret]
    except ValueError:  # not a valid URL
        return {named}
    return words.union(secrets, map(unquote, secrets))
