"""Backups of pairs of lock files, outside of the project."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from larp_cli.errors import ConfigurationError
from larp_cli.system.files import move, write_synced


class Backups:
    """The backups of one project, below LARP_HOME."""

    def __init__(self, home: Callable[[], Path], root: Path) -> None:
        self._home = home
        self._root = root.resolve()

    @cached_property
    def _directory(self) -> Path:
        """Found out when it is needed: the settings take a while to be read."""
        digest = hashlib.sha256(str(self._root).encode()).hexdigest()[:12]
        return self._home() / "requirements" / f"{self._root.name}-{digest}"

    def names(self) -> list[str]:
        """List the backups, newest first."""
        found = self._directory.glob("*.json")
        return sorted((path.stem for path in found), reverse=True)

    def prepare(self) -> None:
        """Make sure that backups can be written.

        Raises:
            ConfigurationError: They cannot.
        """
        with self._writing():
            self._directory.mkdir(parents=True, exist_ok=True)
            probe = self._directory / ".writable"
            probe.touch()
            for left in (probe, *self._directory.glob("*.unfinished")):
                left.unlink()

    def save(self, texts: Mapping[str, str | None]) -> str | None:
        """Keep the texts of the files as they are; None where there is no file at all.

        Raises:
            ConfigurationError: They cannot be written.
        """
        if all(text is None for text in texts.values()):
            return None
        name = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
        path = self._path(name)
        with self._writing():
            self._directory.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".unfinished")
            write_synced(unfinished, json.dumps(texts).encode())
            move(unfinished, path)
        return name

    def prune(self, keep: int) -> None:
        """Leave the newest ``keep``; what cannot be removed is no hindrance."""
        for old in self.names()[keep:]:
            self.drop(old)

    def drop(self, name: str) -> None:
        """Remove one."""
        with suppress(OSError):
            self._path(name).unlink(missing_ok=True)

    def load(self, which: str | None) -> tuple[str, dict[str, str | None]]:
        """Read a backup: by its name or the beginning of it, by default the newest.

        Raises:
            ConfigurationError: There is none like that, or it is broken.
        """
        name = self._find(which)
        try:
            texts: dict[str, str | None] = json.loads(self._path(name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"the backup {name} cannot be read", hint=f"see {self._path(name)}"
            ) from error
        return name, texts

    def _find(self, which: str | None) -> str:
        names = self.names()
        if not names:
            raise ConfigurationError(
                "there is no backup of the lock files", hint="git log -- requirements.txt"
            )
        if which is None or which in names:
            return which or names[0]
        matching = [name for name in names if name.startswith(which)]
        if len(matching) == 1:
            return matching[0]
        how_many = "several backups are" if matching else "no backup is"
        raise ConfigurationError(
            f"{how_many} called {which}; there are: {', '.join(matching or names)}",
            hint=f"larp requirements rollback {(matching or names)[0]}",
        )

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.json"

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigurationError(
                f"backups cannot be kept in {self._directory}: {error.strerror}",
                hint="set LARP_HOME to a directory you can write, or: --keep 0",
            ) from error
