"""The compose files as they are written; `tests/containers` brings them up."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from larp_cli.settings import Settings
from tests.conftest import ROOT
from tests.deploy.test_secrets import NAMES

FILES = ("docker-compose.yml", "docker-compose.prod.yml")
PRODUCTION = "docker-compose.prod.yml"


def read(file: str) -> dict[str, Any]:
    """Read a compose file."""
    found: dict[str, Any] = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))
    return found


def of(file: str) -> dict[str, dict[str, Any]]:
    """Read the services of a compose file."""
    found: dict[str, dict[str, Any]] = read(file)["services"]
    return found


@pytest.mark.parametrize("file", FILES)
def test_no_registry_is_asked_for_what_is_built_here(file: str) -> None:
    """Each image of ours is built by a service of the file, and pulled by none."""
    ours = [service for service in of(file).values() if service["image"].startswith("larp-")]

    assert ours
    assert {service["pull_policy"] for service in ours} == {"never"}
    built = {service["image"] for service in ours if "build" in service}
    assert built == {service["image"] for service in ours}


@pytest.mark.parametrize("file", FILES)
def test_what_changes_the_database_is_given_time_to_stop(file: str) -> None:
    """A statement is cancelled and rolled back; a minute, as in Kubernetes."""
    services = of(file)

    assert {services[name]["stop_grace_period"] for name in ("migrate", "tools")} == {"60s"}
    assert {services[name]["restart"] for name in ("migrate", "tools")} == {"no"}
    assert services["migrate"]["healthcheck"] == {"disable": True}


@pytest.mark.parametrize("file", FILES)
def test_the_tools_are_there_when_they_are_called(file: str) -> None:
    """They do not come up with the rest, keep their backups, and need nothing that is up."""
    tools = of(file)["tools"]

    assert tools["profiles"] == ["tools"]
    assert tools["volumes"] == ["backups:/var/lib/larp"]
    assert "depends_on" not in tools


@pytest.mark.parametrize("name", of(PRODUCTION))
def test_a_container_of_production_is_confined(name: str) -> None:
    """A read-only root, no capability, limits of memory and log, and no way to gain more."""
    service = of(PRODUCTION)[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "max-size" in service["logging"]["options"]
    assert "memory" in service["deploy"]["resources"]["limits"]


def test_the_secrets_of_production_are_those_that_are_made() -> None:
    """No file is missing, and none is made for nothing."""
    file = read(PRODUCTION)
    used = {name for service in file["services"].values() for name in service.get("secrets", ())}

    assert set(file["secrets"]) == NAMES
    assert used == NAMES


@pytest.mark.parametrize("file", FILES)
def test_what_the_services_of_larp_are_given_are_settings(file: str) -> None:
    """A name that is misspelt would be ignored."""
    names = {
        name
        for service in ("migrate", "serve", "tools")
        for name in of(file)[service]["environment"]
    }

    assert {name.lower() for name in names} <= set(Settings.model_fields)


def test_stopping_is_given_more_time_than_draining_takes() -> None:
    """Else the engine would kill what is about to end well."""
    serve = of(PRODUCTION)["serve"]
    grace = re.fullmatch(r"(\d+)s", serve["stop_grace_period"])

    assert grace is not None
    assert int(grace[1]) > float(serve["environment"]["SERVE_DRAIN_SECONDS"]) + 5
