"""Back up pairs of lock files, outside of the project."""

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
    """The backups of one project, in a directory below LARP_HOME."""

    def __init__(self, home: Callable[[], Path], root: Path) -> None:
        self._home = home
        self._root = root.resolve()

    @cached_property
    def _directory(self) -> Path:
        """The directory, determined on first use because reading the settings is slow."""
        digest = hashlib.sha256(str(self._root).encode()).hexdigest()[:12]
        return self._home() / "requirements" / f"{self._root.name}-{digest}"

    def list_names(self) -> list[str]:
        """List the backups, newest first."""
        found = self._directory.glob("*.json")
        return sorted((path.stem for path in found), reverse=True)

    def prepare(self) -> None:
        """Check that backups can be written, and remove unfinished ones.

        Raises:
            ConfigurationError: The directory cannot be written.
        """
        with self._explain_write_errors():
            self._directory.mkdir(parents=True, exist_ok=True)
            probe = self._directory / ".writable"
            probe.touch()
            for left in (probe, *self._directory.glob("*.unfinished")):
                left.unlink()

    def save(self, texts: Mapping[str, str | None]) -> str | None:
        """Write a backup and return its name; None if neither file exists.

        ``texts`` maps paths to texts, or to None for a file that does not exist.

        Raises:
            ConfigurationError: The backup cannot be written.
        """
        if all(text is None for text in texts.values()):
            return None
        name = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
        path = self._path(name)
        with self._explain_write_errors():
            self._directory.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".unfinished")
            write_synced(unfinished, json.dumps(texts).encode())
            move(unfinished, path)
        return name

    def prune(self, keep: int) -> None:
        """Remove all but the newest ``keep`` backups, as far as possible."""
        for old in self.list_names()[keep:]:
            self.drop(old)

    def drop(self, name: str) -> None:
        """Remove a backup, if possible."""
        with suppress(OSError):
            self._path(name).unlink(missing_ok=True)

    def load(self, which: str | None) -> tuple[str, dict[str, str | None]]:
        """Read a backup by its name or the first characters of it; None means the newest.

        Returns its name, and the texts by path.

        Raises:
            ConfigurationError: There is no such backup, or it is not valid.
        """
        name = self._find(which)
        try:
            texts: dict[str, str | None] = json.loads(self._path(name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"the backup {name} cannot be read", hint=f"check the file {self._path(name)}"
            ) from error
        return name, texts

    def _find(self, which: str | None) -> str:
        names = self.list_names()
        if not names:
            raise ConfigurationError(
                "there is no backup of the lock files",
                hint="see whether git has them: git log -- requirements.txt",
            )
        if which is None or which in names:
            return which or names[0]
        matching = [name for name in names if name.startswith(which)]
        if len(matching) != 1:
            raise _make_error(which, matching or names, is_ambiguous=bool(matching))
        return matching[0]

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.json"

    @contextmanager
    def _explain_write_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigurationError(
                f"cannot write backups to {self._directory}: {error.strerror}",
                hint="set LARP_HOME to a directory you can write to, or skip the backup: --keep 0",
            ) from error


def _make_error(which: str, names: list[str], *, is_ambiguous: bool) -> ConfigurationError:
    fault = f"several backups begin with {which}" if is_ambiguous else f"there is no backup {which}"
    return ConfigurationError(
        f"{fault}; choose one of: {', '.join(names)}",
        hint=f"larp requirements rollback {names[0]}",
    )
