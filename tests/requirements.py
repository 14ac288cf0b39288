"""Projects with lock files, generated wheels, and an index that serves them."""

from __future__ import annotations

import base64
import hashlib
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from larp_cli.requirements.lockfile import add_fingerprints
from larp_cli.requirements.project import read_project

WHEELS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("click", "8.0", ()),
    ("click", "8.1", ()),
    ("click", "8.2", ()),
    ("click", "8.3", ()),
    ("typing-extra", "1.0", ()),
    ("typing-extra", "1.1", ()),
    ("web", "1.0", ("typing-extra",)),
    ("web", "2.0", ("typing-extra>=1.1",)),
    ("alpha", "1.0", ("xray<2",)),
    ("alpha", "2.0", ("xray>=2",)),
    ("beta", "2.0", ("xray>=2",)),
    ("xray", "1.5", ()),
    ("xray", "2.5", ()),
)
"""Name, version and requirements of each package."""


def make_wheel(directory: Path, name: str, version: str, requires: Sequence[str] = ()) -> Path:
    """Make a wheel with one module."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {item}\n" for item in requires)
    files = {
        f"{module}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = "".join(f"{path},{_record(text)},{len(text)}\n" for path, text in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    directory.mkdir(parents=True, exist_ok=True)
    wheel = directory / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return wheel


def _record(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def make_wheels(directory: Path) -> Path:
    """Make the wheels of all packages."""
    for name, version, requires in WHEELS:
        make_wheel(directory, name, version, requires)
    return directory


def offline(wheels: Path, cache: Path) -> dict[str, str]:
    """Return the environment in which pip and uv find only these wheels."""
    return {
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "PIP_CACHE_DIR": str(cache / "pip"),
        "PIP_TOOLS_CACHE_DIR": str(cache / "pip-tools"),
        "UV_OFFLINE": "1",
        "UV_FIND_LINKS": str(wheels),
        "UV_CACHE_DIR": str(cache / "uv"),
        "UV_PYTHON_DOWNLOADS": "never",
    }


class LockableProject:
    """A directory with a ``pyproject.toml`` and, optionally, two lock files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def wants(
        self,
        *main: str,
        dev: Sequence[str] = (),
        extras: Mapping[str, Sequence[str]] | None = None,
        more: str = "",
    ) -> LockableProject:
        """Write ``pyproject.toml``, with ``more`` appended."""
        lines = ["[project]", 'name = "demo"', 'version = "1"', f"dependencies = {_list(main)}"]
        lines += ["[project.optional-dependencies]", f"dev = {_list(dev)}"]
        lines += [f"{name} = {_list(listed)}" for name, listed in (extras or {}).items()]
        self.write("pyproject.toml", "\n".join([*lines, more, ""]))
        return self

    def locked(
        self, main: Sequence[str], dev: Sequence[str], *, hashes: bool = False
    ) -> LockableProject:
        """Write both lock files like larp, with these pins and invented hashes."""
        project = read_project(self.root)
        for target, pins in ((project.main, main), (project.dev, dev)):
            more = " \\\n    --hash=sha256:" if hashes else ""
            lines = "".join(f"{pin}{more}{_digest(pin) if hashes else ''}\n" for pin in pins)
            self.write(
                str(target.path),
                add_fingerprints(f"#\n# made by a test\n#\n{lines}", target.fingerprint),
            )
        return self

    def write(self, name: str, text: str) -> Path:
        """Write a file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
        return path

    def change(self, name: str, old: str, new: str) -> None:
        """Replace text that must occur in a file."""
        text = self.text(name)
        assert old in text
        self.write(name, text.replace(old, new))

    def text(self, name: str) -> str:
        """Read a file without converting line endings."""
        return (self.root / name).read_bytes().decode()

    @property
    def main(self) -> str:
        """Text of the main lock file."""
        return self.text("requirements.txt")

    @property
    def dev(self) -> str:
        """Text of the development lock file."""
        return self.text("requirements-dev.txt")

    def names(self) -> set[str]:
        """List the directory."""
        return {path.name for path in self.root.iterdir()}


LOCKED = {"pyproject.toml", "requirements.txt", "requirements-dev.txt"}
"""The files in a project after a successful command."""


def _list(items: Sequence[str]) -> str:
    return "[" + ", ".join(f"'{item}'" for item in items) + "]"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Index:
    """A package index over HTTP that may require a password."""

    def __init__(self, wheels: Path, authorization: str | None) -> None:
        self.wheels = wheels
        self.authorization = authorization
        self.is_asked = threading.Event()
        self.answers = threading.Event()
        """While it is cleared, requests get no answer."""
        self.answers.set()
        self.port = 0


class _Handler(BaseHTTPRequestHandler):
    index: Index

    def do_GET(self) -> None:
        """Answer with a page of links, or a wheel."""
        index = self.index
        index.is_asked.set()
        index.answers.wait(60)
        if index.authorization and self.headers.get("Authorization") != index.authorization:
            self._send(401, b"")
            return
        name = self.path.rstrip("/").rpartition("/")[2]
        wheel = index.wheels / name
        if wheel.is_file():
            self._send(200, wheel.read_bytes())
            return
        found = sorted(index.wheels.glob(f"{name.replace('-', '_')}-*.whl"))
        links = "".join(f'<a href="/simple/files/{path.name}">{path.name}</a>' for path in found)
        page = f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        self._send(200 if found else 404, page)

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_arguments: object) -> None:
        """Ignore clients that disconnect."""


@contextmanager
def serving(wheels: Path, credentials: str | None = None) -> Iterator[Index]:
    """Serve the wheels; ``credentials`` is ``user:password``."""
    wanted = base64.b64encode(credentials.encode()).decode() if credentials else None
    index = Index(wheels, f"Basic {wanted}" if wanted else None)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"index": index}))
    index.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield index
    finally:
        index.answers.set()
        server.shutdown()
        thread.join()
        server.server_close()
