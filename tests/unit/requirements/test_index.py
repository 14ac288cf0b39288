"""Hiding the private parts of pip's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from larp_cli.requirements.index import PrivateWords
from larp_cli.requirements.project import Target
from larp_cli.requirements.verify import find_private_text

TARGET = Target("main", Path("requirements.txt"), (), (), None)


def hide(text: str) -> str:
    """Hide the private words of the current configuration."""
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
    """No user, password in either spelling, host or path of an index remains."""
    monkeypatch.setenv(name, value)

    assert set(hide(text).split()) == {"***"}


def test_credentials_in_an_unknown_url_are_hidden() -> None:
    """A URL that is not in the configuration loses its user and password too."""
    assert hide("at https://me:p@ss@host/x") == "at https://***@host/x"


def test_the_public_index_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host of PyPI is not private."""
    monkeypatch.setenv("PIP_INDEX_URL", "https://pypi.org/simple")

    assert hide("pypi.org answers") == "pypi.org answers"


def test_a_password_may_equal_a_package_name() -> None:
    """Pins, hashes and annotations are not searched for private words; other comments are."""
    text = "click==8.1 \\\n    --hash=sha256:1234abcd\n    # via click\n    # via\n    #   click\n"

    assert not list(find_private_text(TARGET, text, ("click", "1234")))
    assert list(find_private_text(TARGET, "# see https://click/\n", ("click",)))
