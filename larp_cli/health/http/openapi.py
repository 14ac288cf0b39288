"""The description of the server in OpenAPI 3.1, for programs; ``/docs`` shows it to people.

It is the file ``static/openapi.json``. Only what differs between two installations is filled in:
the project's name, the version and the prefix of the API.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from larp_cli import __version__

FILE = Path(__file__).parent / "static" / "openapi.json"
PREFIX = "/api/v1"
"""The prefix of the API in the file."""

type Node = dict[str, Any]
"""An object of the document."""


def load_document(project_name: str, api_prefix: str) -> Node:
    """Read the description, and fill in what differs between two installations."""
    document: Node = json.loads(FILE.read_text(encoding="utf-8"))
    info = document["info"]
    info["title"], info["version"] = f"{project_name}: {info['title']}", __version__
    document["paths"] = {
        path.replace(PREFIX, api_prefix): item for path, item in document["paths"].items()
    }
    return document


def resolve_reference(document: Node, node: Node) -> Node:
    """Return what a ``$ref`` within the document points to; any other object as it is."""
    if "$ref" not in node:
        return node
    found = document
    for key in node["$ref"].removeprefix("#/").split("/"):
        found = found[key]
    return found
