"""The formats as functions of an answer, and a test for every format and type of result."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from larp_cli.redaction import Redactor
from larp_cli.rendering import human
from larp_cli.rendering import json as json_format
from larp_cli.rendering import plain
from larp_cli.rendering.answer import Answer
from larp_cli.rendering.describe import describe
from larp_cli.rendering.document import Block
from larp_cli.results import ConfigTemplate, GeneratedSecret, Result, ShellOutput
from tests.unit.rendering.samples import samples

COLOUR_ONLY = re.compile(r"\x1b\[[0-9;]*m")
VERBATIM: set[type[Result]] = {ConfigTemplate, GeneratedSecret}
"""Results whose text is the product: never redacted, never folded."""

OF_SEVERAL_LINES = {ShellOutput} | {
    kind
    for kind, sample in samples().items()
    if any(isinstance(part, Block) for part in describe(sample))
}
"""Results with text whose line breaks mean something."""


type Render = Callable[[Answer], str]


def rendered(module: Any, *, colour: bool = False, secrets: tuple[str, ...] = ()) -> Render:
    """Return one format as a function of the answer alone."""
    redact = Redactor(secrets).redact
    return lambda answer: str(module.render(answer, redact=redact, colour=colour))


FORMATS = {
    "human": rendered(human),
    "human in colour": rendered(human, colour=True),
    "plain": rendered(plain),
    "json": rendered(json_format),
}
every_format = pytest.mark.parametrize("render", FORMATS.values(), ids=list(FORMATS))


def of_types(*left_out: type[Result]) -> pytest.MarkDecorator:
    """Run a test for every type of result but these."""
    kinds = sorted(samples().keys() - set(left_out), key=lambda kind: kind.__name__)
    return pytest.mark.parametrize("kind", kinds, ids=lambda kind: kind.__name__)


every_type = of_types()
every_described_type = of_types(*VERBATIM)


def answer_with(kind: type[Result], text: str = "value") -> Answer:
    """Wrap the sample of a type."""
    return Answer.of("db test", samples(text)[kind])
