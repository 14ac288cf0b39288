"""Contract with psycopg: it makes one set of parameters for each address to try."""

from __future__ import annotations

import psycopg
import pytest

from larp_cli.postgres.psycopg_api import list_attempts


def places(**parameters: str) -> list[tuple[str | None, str | None, str | None]]:
    """List host, address and port of each attempt."""
    attempts = list_attempts(parameters)
    return [(item.get("host"), item.get("hostaddr"), item.get("port")) for item in attempts]


def test_each_host_is_an_attempt_with_its_own_port() -> None:
    """The order is that of the list."""
    assert places(host="127.0.0.1,127.0.0.2", port="1,2") == [
        ("127.0.0.1", "127.0.0.1", "1"),
        ("127.0.0.2", "127.0.0.2", "2"),
    ]


def test_one_port_is_that_of_every_host() -> None:
    """As in libpq."""
    assert [port for *_, port in places(host="127.0.0.1,127.0.0.2", port="7")] == ["7", "7"]


def test_a_name_is_looked_up() -> None:
    """Each address of a name becomes an attempt, and the name stays for TLS."""
    attempts = places(host="localhost", port="1")

    assert {name for name, *_ in attempts} == {"localhost"}
    assert {address for _, address, _ in attempts} <= {"127.0.0.1", "::1"}
    assert attempts


def test_an_address_or_a_socket_is_taken_as_it_is() -> None:
    """Neither is looked up."""
    assert places(host="elsewhere", hostaddr="127.0.0.3", port="1") == [
        ("elsewhere", "127.0.0.3", "1")
    ]
    assert places(host="/run/postgresql", port="1") == [("/run/postgresql", None, "1")]


def test_a_preferred_standby_is_asked_for_first() -> None:
    """`prefer-standby` becomes two rounds, as libpq makes them."""
    attempts = list_attempts({"host": "127.0.0.1", "target_session_attrs": "prefer-standby"})

    assert [item.get("target_session_attrs") for item in attempts] == ["standby", None]


def test_a_name_without_an_address_is_an_error_of_the_driver() -> None:
    """It is translated like every other error of psycopg."""
    with pytest.raises(psycopg.OperationalError, match="resolve"):
        list_attempts({"host": "no-such-host.invalid", "port": "1"})
