"""The manifests: valid by Kubernetes' own schemas, restricted, with times that fit each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

kubernetes_validate = pytest.importorskip("kubernetes_validate")

DIRECTORY = ROOT / "deploy" / "kubernetes"
FILES = sorted(DIRECTORY.glob("*/*.yaml"))
BASE = DIRECTORY / "base"


def documents(path: Path) -> list[dict[str, Any]]:
    """Read the documents of a file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def pods() -> list[dict[str, Any]]:
    """List the specs of the pods that the base starts."""
    found = [document for path in BASE.glob("*.yaml") for document in documents(path)]
    return [
        item["spec"]["template"]["spec"] for item in found if "template" in item.get("spec", {})
    ]


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path.name != "kustomization.yaml" and path.parent == BASE],
    ids=lambda path: path.name,
)
def test_a_manifest_is_valid(path: Path) -> None:
    """No field is misspelt, none has a wrong type, and none is missing."""
    for document in documents(path):
        kubernetes_validate.validate(document, "1.37", strict=True)


@pytest.mark.parametrize("path", sorted(DIRECTORY.glob("*/kustomization.yaml")), ids=str)
def test_a_kustomization_names_what_is_there(path: Path) -> None:
    """Resources and patches exist, and every file of the directory is used."""
    (kustomization,) = documents(path)
    named = [
        *kustomization["resources"],
        *(item["path"] for item in kustomization.get("patches", [])),
    ]

    assert all((path.parent / name).exists() for name in named)
    beside = {file.name for file in path.parent.glob("*.yaml")} - {path.name}
    assert beside == {name for name in named if name.endswith(".yaml")}


@pytest.mark.parametrize("pod", pods(), ids=lambda pod: pod["containers"][0]["name"])
def test_a_pod_is_restricted(pod: dict[str, Any]) -> None:
    """What the restricted pod security standard asks for, a read-only root, and a memory limit."""
    (container,) = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    context = container["securityContext"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert "memory" in container["resources"]["limits"]


def test_the_probes_fit_the_server() -> None:
    """Liveness never asks for the database; the grace period outlasts the draining."""
    (settings,) = documents(BASE / "settings.yaml")
    (deployment,) = documents(BASE / "serve.yaml")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    ready = container["readinessProbe"]
    drain = float(settings["data"]["SERVE_DRAIN_SECONDS"])

    assert container["livenessProbe"]["httpGet"]["path"] == "/health"
    assert container["startupProbe"]["httpGet"]["path"] == "/health"
    assert ready["httpGet"]["path"] == "/health/ready"
    assert drain > ready["periodSeconds"] * ready["failureThreshold"]
    assert pod["terminationGracePeriodSeconds"] > drain + 5


def test_the_settings_are_settings() -> None:
    """Every name in the ConfigMap is one that larp reads, and the secrets' keys are too."""
    from larp_cli.settings import Settings

    (settings,) = documents(BASE / "settings.yaml")
    (deployment,) = documents(BASE / "serve.yaml")
    (volume,) = deployment["spec"]["template"]["spec"]["volumes"]
    names = [*settings["data"], *(item["key"].upper() for item in volume["secret"]["items"])]

    assert {name.lower() for name in names} <= set(Settings.model_fields)
