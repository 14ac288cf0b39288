"""Backups of pairs of lock files, outside of the project."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from larp_cli.errors import ConfigurationError

DEFAULT_KEPT = 5


class Backups:
    """The backups of one project, below LARP_HOME."""

    def __init__(self, home: Path, root: Path) -> None:
        digest = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:12]
        self._directory = home / "requirements" / f"{root.resolve().name}-{digest}"

    def names(self) -> list[str]:
        """List the backups, newest first."""
        found = self._directory.glob("*.json")
        return sorted((path.stem for path in found), reverse=True)

    def prepare(self) -> None:
        """Make sure that backups can be written.

        Raises:
            ConfigurationError: They cannot.
        """
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            probe = self._directory / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise ConfigurationError(
                f"backups cannot be kept in {self._directory}: {error.strerror}",
                hint="set LARP_HOME to a directory you can write, or: --keep 0",
            ) from error

    def save(self, texts: Mapping[str, str | None], *, keep: int) -> str | None:
        """Keep the texts of the files as they are; None where there are none, or none is kept."""
        if keep < 1 or not any(text is not None for text in texts.values()):
            return None
        name = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
        path = self._directory / f"{name}.json"
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(texts), encoding="utf-8")
        unfinished.replace(path)
        for old in self.names()[keep:]:
            (self._directory / f"{old}.json").unlink(missing_ok=True)
        return name

    def load(self, which: str | None) -> tuple[str, dict[str, str | None]]:
        """Read a backup: by its name or the beginning of it, by default the newest.

        Raises:
            ConfigurationError: There is none like that.
        """
        names = self.names()
        if not names:
            raise ConfigurationError(
                "there is no backup of the lock files", hint="git log -- requirements.txt"
            )
        matching = [name for name in names if which is None or name.startswith(which)]
        if not matching or (which is not None and len(matching) > 1 and which not in names):
            raise ConfigurationError(
                f"no single backup is called {which}; there are: {', '.join(names)}",
                hint=f"larp requirements rollback {names[0]}",
            )
        name = which if which in names else matching[0]
        assert name is not None
        texts: dict[str, str | None] = json.loads(
            (self._directory / f"{name}.json").read_text(encoding="utf-8")
        )
        return name, texts
