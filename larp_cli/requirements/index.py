"""What the user's pip configuration knows and nobody else may: its indexes and passwords."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from urllib.parse import unquote, urlsplit

PUBLIC = ("pypi.org", "files.pythonhosted.org")
_SETTING = re.compile(r"^[\w.:-]*(?:index-url|find-links|trusted-host|proxy|index)\s*=\s*(.*)$")
_SECONDS = 30.0


class PrivateWords:
    """Collects them while the first compilation runs: pip takes a while to tell."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self._words: tuple[str, ...] | None = None

    def __enter__(self) -> PrivateWords:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def words(self) -> tuple[str, ...]:
        """Return hosts, paths, users and passwords that must not be seen, the longest first."""
        if self._words is None:
            try:
                told = self._process.communicate(timeout=_SECONDS)[0]
            except subprocess.TimeoutExpired:
                told = ""
            values = [match[1] for line in told.splitlines() if (match := _SETTING.match(line))]
            values += [value for name, value in os.environ.items() if _names_index(name)]
            found = {word for value in values for word in _words_of(value.strip("'\""))}
            self._words = tuple(sorted(found, key=len, reverse=True))
        return self._words

    def hide(self, text: str) -> str:
        """Replace every such word."""
        for word in self.words():
            text = text.replace(word, "***")
        return text


def _names_index(name: str) -> bool:
    return name.startswith(("PIP_", "UV_")) and name.endswith(
        ("INDEX_URL", "FIND_LINKS", "TRUSTED_HOST", "PROXY", "INDEX", "DEFAULT_INDEX")
    )


def _words_of(value: str) -> set[str]:
    """Take the values of one setting apart: there may be several, separated by white space."""
    words: set[str] = set()
    for part in re.split(r"[\s,]+|\\n", value):
        if "://" not in part:
            words.add(part)
            continue
        url = urlsplit(part)
        words |= {part, url.netloc, url.netloc.rpartition("@")[2], url.hostname or "", url.path}
        for secret in (url.username, url.password):
            words |= {secret, unquote(secret)} if secret else set()
    return {word for word in words if len(word) > 3 and word not in PUBLIC and word != "/simple/"}
