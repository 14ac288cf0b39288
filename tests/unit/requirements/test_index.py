"""What of pip's configuration is taken for private, and hidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from larp_cli.requirements.index import PrivateWords
from larp_cli.requirements.project import Target
from larp_cli.requirements.verify import text_findings

TARGET = Target("main", Path("requirements.txt"), (), (), None)


def hidden(text: str) -> str:
    """Hide what is private now."""
    with PrivateWords(Path()) as private:
        return private.hide(text)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("PIP_INDEX_URL", "https://me-me:sesame@host.example/simple", "me-me sesame host.example"),
        ("PIP_EXTRA_INDEX_URL", "https://a.example/x https://b.example/y", "a.example b.example"),
        ("PIP_FIND_LINKS", "/srv/wheels", "/srv/wheels"),
        ("PIP_PROXY", "http://me-me:sesame@proxy.example:3128", "sesame proxy.example"),
        ("https_proxy", "http://me-me:sesame@proxy.example:3128", "sesame proxy.example"),
        ("UV_INDEX", "inner=https://me-me:sesame@host.example/x", "me-me sesame host.example"),
        ("UV_INDEX_INNER_PASSWORD", "sesame", "sesame"),
        ("UV_DEFAULT_INDEX", "https://me-me:sesa%2Fme@host.example/x", "sesa%2Fme sesa/me"),
        ("PIP_INDEX_URL", "https://[broken/simple", "https://[broken/simple"),
    ],
)
def test_every_word_of_an_index_is_hidden(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, text: str
) -> None:
    """Users, passwords in both spellings, hosts and paths."""
    monkeypatch.setenv(name, value)

    assert set(hidden(text).split()) == {"***"}


def test_even_a_short_name_before_a_host_is_hidden() -> None:
    """A URL that nobody told of loses its credentials all the same."""
    assert hidden("at https://me:p@ss@host/x") == "at https://***@host/x"


def test_the_public_index_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its host is no secret."""
    monkeypatch.setenv("PIP_INDEX_URL", "https://pypi.org/simple")

    assert hidden("pypi.org answers") == "pypi.org answers"


def test_a_password_that_is_a_word_of_a_lock_file_does_no_harm() -> None:
    """Only where an index might stand it is looked for: not in pins, hashes and annotations."""
    text = "click==8.1 \\\n    --hash=sha256:1234abcd\n    # via click\n    # via\n    #   click\n"

    assert not list(text_findings(TARGET, text, ("click", "1234")))
    assert list(text_findings(TARGET, "# see https://click/\n", ("click",)))
