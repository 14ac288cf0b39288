"""The manifests: valid by Kubernetes' own schemas, restricted, with times that fit each other."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from larp_cli.errors import ExitCode
from tests.conftest import ROOT, Larp

kubernetes_validate = pytest.importorskip("kubernetes_validate")

DIRECTORY = ROOT / "deploy" / "kubernetes"
FILES = sorted(DIRECTORY.glob("*/*.yaml"))
BASE = DIRECTORY / "base"


def documents(path: Path) -> list[dict[str, Any]]:
    """Read the documents of a file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def settings() -> dict[str, str]:
    """Read what the ConfigMap is generated from."""
    lines = (BASE / "settings.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


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
    named += [file for item in kustomization.get("configMapGenerator", []) for file in item["envs"]]
    beside = {file.name for file in path.parent.iterdir()} - {path.name}
    assert beside == {name for name in named if (path.parent / name).is_file()}


@pytest.mark.parametrize("name", ["base", "production"])
def test_what_kustomize_makes_of_it_is_valid(name: str) -> None:
    """Base and overlay come out whole: valid, in one namespace, each reference to something."""
    made = rendered(name)
    for document in made:
        kubernetes_validate.validate(document, "1.37", strict=True)

    (config,) = [item for item in made if item["kind"] == "ConfigMap"]
    assert config["data"] == settings()
    workloads = [item for item in made if item["kind"] in ("Deployment", "Job")]
    for item in workloads:
        (container,) = item["spec"]["template"]["spec"]["containers"]
        assert container["envFrom"] == [{"configMapRef": {"name": config["metadata"]["name"]}}]
    if name == "production":
        assert {item["metadata"].get("namespace") for item in made} == {None, "larp"}
        (deployment,) = [item for item in made if item["kind"] == "Deployment"]
        assert deployment["spec"]["replicas"] == 3
        assert all(
            ":" in container["image"]
            for item in workloads
            for container in item["spec"]["template"]["spec"]["containers"]
        )


def rendered(name: str) -> list[dict[str, Any]]:
    """Build a kustomization with whichever program for it is installed."""
    for program in (("kustomize", "build"), ("kubectl", "kustomize")):
        if shutil.which(program[0]):
            done = subprocess.run(
                [*program, str(DIRECTORY / name)],
                check=True,
                capture_output=True,
                text=True,
                timeout=60,
            )
            return list(yaml.safe_load_all(done.stdout))
    pytest.skip("neither kustomize nor kubectl is installed")


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
    (deployment,) = documents(BASE / "serve.yaml")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    ready = container["readinessProbe"]
    drain = float(settings()["SERVE_DRAIN_SECONDS"])

    assert container["livenessProbe"]["httpGet"]["path"] == "/health"
    assert container["startupProbe"]["httpGet"]["path"] == "/health"
    assert ready["httpGet"]["path"] == "/health/ready"
    assert drain > ready["periodSeconds"] * ready["failureThreshold"]
    assert pod["terminationGracePeriodSeconds"] > drain + 5


def test_the_settings_are_settings() -> None:
    """Every name in the settings' file is one that larp reads, and the secrets' keys are too."""
    from larp_cli.settings import Settings

    (deployment,) = documents(BASE / "serve.yaml")
    (volume,) = deployment["spec"]["template"]["spec"]["volumes"]
    names = [*settings(), *(item["key"].upper() for item in volume["secret"]["items"])]

    assert {name.lower() for name in names} <= set(Settings.model_fields)


def test_with_its_secrets_the_settings_are_complete(larp: Larp, tmp_path: Path) -> None:
    """What the pods are given is a sound configuration, as production wants it."""
    secrets = {
        "database_url": "postgresql://larp:sesame@db/larp",
        "database_migration_url": "postgresql://larp_owner:sesame@db/larp",
        "secret_key": "Zp8vQ2mT7rW4xK9sL3nB6cD1fG5hJ0aE",
        "health_details_token": "t0ken-Zp8vQ2mT7rW4xK9sL3nB6cD1",
    }
    for name, value in secrets.items():
        (tmp_path / name).write_text(value + "\n")

    outcome = larp("config", "check", "--json", env={**settings(), "SECRETS_DIR": str(tmp_path)})

    assert (outcome.exit_code, outcome.result["warnings"]) == (ExitCode.OK, [])
