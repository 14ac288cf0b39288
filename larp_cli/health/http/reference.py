"""Render an OpenAPI document as HTML. It supports the features that our document uses."""

from __future__ import annotations

import json
import re

from larp_cli.health.http.formatting import text
from larp_cli.health.http.openapi import Node, resolve_reference

_CODE = re.compile(r"`([^`]+)`")
_METHODS = ("get", "head")


def paragraphs(description: str) -> str:
    """Render a description. Of CommonMark it supports paragraphs and code."""
    return "".join(f"<p>{_render_inline(part)}</p>" for part in description.split("\n\n"))


def paths(document: Node) -> str:
    """Write every path, with what it answers."""
    return "".join(_render_path(document, path, item) for path, item in document["paths"].items())


def schemas(document: Node) -> str:
    """Write every schema."""
    known = document["components"]["schemas"]
    return "".join(_render_schema(name, schema) for name, schema in known.items())


def _render_inline(description: str) -> str:
    return _CODE.sub(r"<code>\1</code>", text(description))


def _render_path(document: Node, path: str, item: Node) -> str:
    methods = ", ".join(method.upper() for method in _METHODS if method in item)
    operation = item["get"]
    answers = "".join(
        _render_response(code, resolve_reference(document, answer))
        for code, answer in operation["responses"].items()
    )
    token = " The details token may be sent." if "security" in operation else ""
    return (
        f'<section class="panel"><h2><span class="soft">{methods}</span> <code>{text(path)}</code>'
        f"</h2><p>{_render_inline(item['summary'])}.{token}</p><dl>{answers}</dl></section>"
    )


def _render_response(code: str, answer: Node) -> str:
    bodies = "; ".join(
        f"<code>{text(media_type)}</code>, {_describe_type(body['schema'])}"
        for media_type, body in answer["content"].items()
    )
    headers = ", ".join(f"<code>{text(name)}</code>" for name in answer["headers"])
    return (
        f"<dt>{text(code)}</dt><dd>{_render_inline(answer['description'])}"
        f'<br>{bodies}<br><span class="soft">Headers: {headers}</span></dd>'
    )


def _render_schema(name: str, schema: Node) -> str:
    fields = "".join(
        f"<dt><code>{text(field)}</code></dt><dd>{_render_field(field, inner, schema)}</dd>"
        for field, inner in schema.get("properties", {}).items()
    )
    body = f"<dl>{fields}</dl>" if fields else f"<p>{_describe_type(schema)}</p>"
    return (
        f'<section class="panel" id="schema-{text(name)}"><h3>{text(name)}</h3>'
        f"<p>{_render_inline(schema['description'])}</p>{body}</section>"
    )


def _render_field(name: str, inner: Node, schema: Node) -> str:
    absent = "" if name in schema["required"] else " May be absent."
    description = inner.get("description", "")
    return f"{_describe_type(inner)}. {_render_inline(description)}{absent}"


def _describe_type(schema: Node) -> str:
    """Describe the values that a schema allows."""
    if "$ref" in schema:
        name = text(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_describe_type(inner) for inner in schema["anyOf"])
    if "const" in schema:
        return f"<code>{text(json.dumps(schema['const']))}</code>"
    if "enum" in schema:
        values = ", ".join(f"<code>{text(json.dumps(value))}</code>" for value in schema["enum"])
        return f"one of {values}"
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(_describe_simple_type(kind, schema) for kind in kinds)


def _describe_simple_type(kind: str, schema: Node) -> str:
    if kind == "array":
        return f"list of {_describe_type(schema['items'])}"
    if kind == "string" and schema.get("format") == "date-time":
        return "time (RFC 3339)"
    return text(kind)
