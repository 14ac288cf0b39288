"""The generated parts of the docs: each function returns Markdown made from the program itself.

`make docs` writes them into the pages with cog, and `make lint` checks that they are current.
The output does not depend on the terminal, the environment or the machine.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import io
import json
import os
import re
import textwrap
import types
import typing
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import datetime
from enum import Enum
from itertools import groupby
from pathlib import Path
from typing import Any
from unittest import mock

from pydantic import SecretStr
from typer.main import get_command

from larp_cli import errors, results
from larp_cli.cli.commands import LarpGroup, split_help
from larp_cli.cli.context import Context
from larp_cli.cli.main import app, main
from larp_cli.rendering.answer import Answer
from larp_cli.rendering.json import render
from larp_cli.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "larp_cli"

ENVELOPE = {
    "schema_version": "Version of this format. It increases when a field is renamed or removed.",
    "command": "The command without the program name, such as `db migrate`.",
    "exit_code": "The exit code of the process: see [exit codes](exit-codes.md).",
    "changed": "Whether the command changed anything other than larp's own tables.",
    "result": "The result; null if the command failed.",
    "error": "Why the exit code is not 0; null if it is. `result` can be present as well.",
}
ERROR = {
    "code": "Name of the exit code, such as `UNREACHABLE`.",
    "message": "What went wrong, in one sentence.",
    "hint": "The command or setting that helps; null if there is none.",
}


# --- commands -----------------------------------------------------------------------


def tree() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Walk the commands as help lists them: each one's words, and the command."""
    yield from _below((), get_command(app))


def _below(words: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield words, command
    if isinstance(command, LarpGroup):
        for name in command.names:
            yield from _below((*words, name), command.get_command(None, name))


def command_help(words: tuple[str, ...]) -> str:
    """Return what the program writes for ``larp WORDS --help`` on 80 columns."""
    written = io.StringIO()
    with mock.patch.dict(os.environ, {"COLUMNS": "80"}, clear=True), redirect_stdout(written):
        exit_code = main([*words, "--help"])
    assert exit_code == errors.ExitCode.OK, words
    return written.getvalue()


def help_pages() -> str:
    """Return the help of every command, each under a heading."""
    parts = []
    for words, _ in tree():
        heading = " ".join(("larp", *words))
        parts.append(f"## {heading}\n\n```text\n{command_help(words).rstrip()}\n```")
    return _block("\n\n".join(parts))


def command_table() -> str:
    """Return a table of the commands, linked to their help below it."""
    rows = [
        (f"[`larp {' '.join(words)}`](#larp-{'-'.join(words)})", _summary(command))
        for words, command in tree()
        if not isinstance(command, LarpGroup)
    ]
    return _table(("command", "does"), rows)


def _summary(command: Any) -> str:
    description, _ = split_help(command.help)
    return " ".join(description.partition("\n\n")[0].split()).rstrip(".")


# --- exit codes ---------------------------------------------------------------------


def exit_code_table() -> str:
    """Return every exit code with its meaning."""
    meanings = _member_docs(errors.ExitCode)
    rows = [(f"{code:d}", f"`{code.name}`", meanings[code.name]) for code in errors.ExitCode]
    return _table(("code", "name", "meaning"), rows)


# --- settings -----------------------------------------------------------------------


def settings_tables() -> str:
    """Return the settings, a table for each section."""
    used = _used_settings()
    parts = []
    for section, fields in groupby(Settings.model_fields.items(), lambda item: _section(item[1])):
        rows = [
            (
                f"`{name.upper()}`",
                _setting_type(field),
                _setting_default(field),
                _text(field.description)
                + ("" if name in used else " *Not used by any command yet.*"),
            )
            for name, field in fields
        ]
        parts.append(f"## {section}\n" + _table(("name", "type", "default", "meaning"), rows))
    return "\n" + "\n".join(parts)


def _section(field: Any) -> str:
    return str(field.json_schema_extra["section"])


def _setting_type(field: Any) -> str:
    kinds = [kind for kind in _members(field.annotation) if kind is not type(None)]
    (kind,) = kinds
    if kind is bool:
        return "true or false"
    if kind is SecretStr:
        return "secret"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of " + ", ".join(f"`{member.value}`" for member in kind)
    names = {str: "text", Path: "path", int: "whole number", float: "number"}
    return names.get(kind, "list") + _bounds(field.metadata)


def _bounds(metadata: list[Any]) -> str:
    least = [rule.ge for rule in metadata if getattr(rule, "ge", None) is not None]
    most = [rule.le for rule in metadata if getattr(rule, "le", None) is not None]
    return "".join([*(f", at least {low:g}" for low in least), *(f", at most {n}" for n in most)])


def _setting_default(field: Any) -> str:
    value = field.default
    if field.default_factory is not None:
        return "per user"
    if isinstance(value, SecretStr):
        return "a placeholder"
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Enum):
        return f"`{value.value}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _used_settings() -> set[str]:
    """Find the settings that the code reads, apart from validating and showing them."""
    used = {"secrets_dir"}  # where the others are read from
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] in ("settings", "configuration.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and _is_settings(node.value):
                used.add(node.attr)
    return used


def _is_settings(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name == "settings"


# --- JSON ---------------------------------------------------------------------------


def envelope() -> str:
    """Return an example of the envelope, and its fields."""
    error = errors.DatabaseUnreachable("db:5432 did not answer", hint="larp db wait")
    document = render(Answer.of_error("db status", error), redact=str, colour=False)
    written = json.loads(document)
    assert list(written) == list(ENVELOPE) and list(written["error"]) == list(ERROR)
    return (
        f"\n```json\n{document}\n```\n"
        + _table(("field", "meaning"), [(f"`{name}`", text) for name, text in ENVELOPE.items()])
        + "\n`error`:\n"
        + _table(("field", "meaning"), [(f"`{name}`", text) for name, text in ERROR.items()])
    )


def check_table() -> str:
    """Return the health checks and when each passes; those that decide on readiness in bold."""
    from larp_cli.health import checks

    functions = {**checks.CHECKS, "configuration": checks.check_configuration}
    rows = [
        (f"**`{name}`**" if name in checks.READY else f"`{name}`", _doc(functions[name]))
        for name in checks.NAMES
    ]
    return _table(("check", "passes when"), rows)


def reason_list() -> str:
    """Return the reasons a health check can report."""
    docs = _member_docs(results.Reason)
    lines = [
        f"- `{reason.value}`" + (f": {docs[reason.name]}" if docs[reason.name] else "")
        for reason in results.Reason
    ]
    return _block("\n".join(lines))


def results_by_command() -> str:
    """Return the result type of each command."""
    rows = [
        (f"`{' '.join(words)}`", ", ".join(map(_link, results_of(words))))
        for words, command in tree()
        if not isinstance(command, LarpGroup)
    ]
    return _table(("command", "result"), rows)


def result_types() -> str:
    """Return the fields of every type in a result."""
    commands = [words for words, command in tree() if not isinstance(command, LarpGroup)]
    todo = [kind for words in commands for kind in results_of(words)]
    parts: dict[str, str] = {}
    while todo:
        kind = todo.pop(0)
        if kind.__name__ not in parts:
            parts[kind.__name__], inner = _type_section(kind)
            todo.extend(inner)
    return _block("\n\n".join(parts[name] for name in sorted(parts)))


def results_of(words: tuple[str, ...]) -> list[type]:
    """Find the result types of a command: what it passes to ``larp.answer(…)``."""
    module = importlib.import_module("larp_cli.cli." + ".".join(words))
    body = ast.parse(inspect.getsource(module))
    imported = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(body)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    found: list[type] = []
    for node in ast.walk(body):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="larp"), attr="answer" | "announce"),
                args=[ast.Call(func=ast.Name(id=name))],
            ):
                source, original = imported[name]
                found.append(_answered(getattr(importlib.import_module(source), original)))
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="larp"), attr="answer"),
                args=[ast.Call(func=ast.Attribute(value=ast.Name(id="larp"), attr=name))],
            ):
                found.append(_answered(getattr(Context, name)))
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="larp"), attr="answer"),
                args=[
                    ast.Call(
                        func=ast.Attribute(value=ast.Call(func=ast.Name(id=name)), attr=method)
                    )
                ],
            ):
                source, original = imported[name]
                kind = getattr(importlib.import_module(source), original)
                found.append(_answered(getattr(kind, method)))
    if not found:
        raise LookupError(f"found no result of larp {' '.join(words)}")
    return sorted(set(found), key=lambda kind: kind.__name__)


def _answered(function: Any) -> type:
    found: type = getattr(results, inspect.signature(function).return_annotation)
    return found


def _type_section(kind: type) -> tuple[str, list[type]]:
    heading = f"### {kind.__name__}\n\n{_doc(kind)}\n"
    if issubclass(kind, Enum):
        docs = _member_docs(kind)
        lines = [
            f"- `{member.value}`" + (f": {docs[member.name]}" if docs[member.name] else "")
            for member in kind
        ]
        return heading + "\n" + "\n".join(lines), []
    hints = typing.get_type_hints(kind)
    docs = _member_docs(kind)
    rows, inner = [], []
    for field in dataclasses.fields(kind):
        named, types_within = _json_type(hints[field.name])
        rows.append((f"`{field.name}`", named, _text(docs.get(field.name))))
        inner.extend(types_within)
    return (heading + _table(("field", "type", "meaning"), rows)).rstrip(), inner


def _json_type(hint: Any) -> tuple[str, list[type]]:
    members = _members(hint)
    named, inner = [], []
    for member in members:
        if typing.get_origin(member) is tuple:
            name, within = _json_type(typing.get_args(member)[0])
            named.append(f"list of {name}")
            inner.extend(within)
        elif member.__module__.startswith(results.__name__):
            named.append(_link(member))
            inner.append(member)
        else:
            named.append(_SCALARS[member])
    return " or ".join(named), inner


_SCALARS: dict[Any, str] = {
    type(None): "null",
    bool: "boolean",
    datetime: "string, ISO 8601",
    float: "number",
    int: "integer",
    Path: "string, a path",
    str: "string",
}


# --- Markdown -----------------------------------------------------------------------


def _members(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


def _link(kind: type) -> str:
    return f"[{kind.__name__}](#{kind.__name__.lower()})"


def _doc(kind: Any) -> str:
    return _prose((kind.__doc__ or "").partition("\n\n")[0])


def _prose(docstring: str) -> str:
    """Convert a docstring to Markdown: single backticks, and null for None."""
    return re.sub(r"\bNone\b", "null", " ".join(docstring.replace("``", "`").split()))


def _member_docs(kind: type) -> dict[str, str]:
    """Read the docstrings under the fields or members of a class."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(body, ast.ClassDef)
    docs: dict[str, str] = {}
    name = ""
    for node in body.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                docs[name] = ""
            case ast.Expr(value=ast.Constant(value=str(text))) if name:
                docs[name] = _prose(text)
                name = ""
            case _:
                name = ""
    return docs


def _text(text: str | None) -> str:
    """Escape Markdown's special characters outside of code."""
    parts = re.split(r"(`[^`]*`)", text or "")
    return "".join(
        part if part.startswith("`") else re.sub(r"([*|<>])", r"\\\1", part) for part in parts
    )


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return _block("\n".join("| " + " | ".join(line) + " |" for line in lines))


def _block(text: str) -> str:
    return f"\n{text}\n"
