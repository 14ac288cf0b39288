"""An OpenAPI document as HTML: as much of the format as our own document uses."""

from __future__ import annotations

import json
import re

from larp_cli.health.http.formatting import text
from larp_cli.health.http.openapi import Node, resolve_reference

_CODE = re.compile(r"`([^`]+)`")
_METHODS = ("get", "head")


def paragraphs(told: str) -> str:
    """Write a description; of CommonMark only paragraphs and code."""
    return "".join(f"<p>{_inline(part)}</p>" for part in told.split("\n\n"))


def paths(document: Node) -> str:
    """Write every path, with what it answers."""
    return "".join(_path(document, path, item) for path, item in document["paths"].items())


def schemas(document: Node) -> str:
    """Write every schema."""
    known = document["components"]["schemas"]
    return "".join(_schema(name, schema) for name, schema in known.items())


def _inline(told: str) -> str:
    return _CODE.sub(r"<code>\1</code>", text(told))


def _path(document: Node, path: str, item: Node) -> str:
    methods = ", ".join(method.upper() for method in _METHODS if method in item)
    operation = item["get"]
    answers = "".join(
        _answer(code, resolve_reference(document, answer))
        for code, answer in operation["responses"].items()
    )
    token = " The details token may be sent." if "security" in operation else ""
    return (
        f'<section class="panel"><h2><span class="soft">{methods}</span> <code>{text(path)}</code>'
        f"</h2><p>{_inline(item['summary'])}.{token}</p><dl>{answers}</dl></section>"
    )


def _answer(code: str, answer: Node) -> str:
    bodies = "; ".join(
        f"<code>{text(media_type)}</code>, {_kind(body['schema'])}"
        for media_type, body in answer["content"].items()
    )
    headers = ", ".join(f"<code>{text(name)}</code>" for name in answer["headers"])
    return (
        f"<dt>{text(code)}</dt><dd>{_inline(answer['description'])}"
        f'<br>{bodies}<br><span class="soft">Headers: {headers}</span></dd>'
    )


def _schema(name: str, schema: Node) -> str:
    fields = "".join(
        f"<dt><code>{text(field)}</code></dt><dd>{_field(field, inner, schema)}</dd>"
        for field, inner in schema.get("properties", {}).items()
    )
    body = f"<dl>{fields}</dl>" if fields else f"<p>{_kind(schema)}</p>"
    return (
        f'<section class="panel" id="schema-{text(name)}"><h3>{text(name)}</h3>'
        f"<p>{_inline(schema['description'])}</p>{body}</section>"
    )


def _field(name: str, inner: Node, schema: Node) -> str:
    absent = "" if name in schema["required"] else " May be absent."
    told = inner.get("description", "")
    return f"{_kind(inner)}. {_inline(told)}{absent}"


def _kind(schema: Node) -> str:
    """Say in words what a schema lets in."""
    if "$ref" in schema:
        name = text(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(inner) for inner in schema["anyOf"])
    if "const" in schema:
        return f"<code>{text(json.dumps(schema['const']))}</code>"
    if "enum" in schema:
        values = ", ".join(f"<code>{text(json.dumps(value))}</code>" for value in schema["enum"])
        return f"one of {values}"
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(_simple(kind, schema) for kind in kinds)


def _simple(kind: str, schema: Node) -> str:
    if kind == "array":
        return f"list of {_kind(schema['items'])}"
    if kind == "string" and schema.get("format") == "date-time":
        return "time (RFC 3339)"
    return text(kind)
