"""The manifests: valid by Kubernetes' own schemas, restricted, with times that fit each other."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from larp_cli import __version__
from larp_cli.errors import ExitCode
from larp_cli.settings import Settings
from tests.conftest import ROOT, Larp
from tests.deploy.test_secrets import NAMES

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


@pytest.mark.parametrize("name", ["base", "production"])
def test_the_image_is_the_one_of_this_version(name: str) -> None:
    """By a tag, as what has none is pulled anew by each pod, and may be another image then."""
    for item in rendered(name):
        if item["kind"] in ("Deployment", "Job"):
            (container,) = item["spec"]["template"]["spec"]["containers"]
            assert container["image"] == f"larp-cli:{__version__}"
            assert container["imagePullPolicy"] == "IfNotPresent"


def test_the_way_to_the_database_can_be_narrowed(tmp_path: Path) -> None:
    """The example in the overlay works as it stands there, without its comment signs."""
    copy = shutil.copytree(DIRECTORY, tmp_path / "kubernetes")
    overlay = copy / "production" / "kustomization.yaml"
    text = overlay.read_text(encoding="utf-8")
    example = text[text.index("  # - target:") :]
    overlay.write_text(text.replace(example, example.replace("  # ", "  ")), encoding="utf-8")

    made = rendered("production", copy)
    (policy,) = [item for item in made if item["kind"] == "NetworkPolicy"]
    kubernetes_validate.validate(policy, "1.37", strict=True)
    names, database = policy["spec"]["egress"]
    assert [port["port"] for port in names["ports"]] == [53, 53]
    assert "kube-system" in str(names["to"])
    assert [port["port"] for port in database["ports"]] == [5432, 6432]
    assert database["to"] == [{"ipBlock": {"cidr": "10.20.30.0/24"}}]


def rendered(name: str, directory: Path = DIRECTORY) -> list[dict[str, Any]]:
    """Build a kustomization with whichever program for it is installed."""
    for program in (("kustomize", "build"), ("kubectl", "kustomize")):
        if shutil.which(program[0]):
            done = subprocess.run(
                [*program, str(directory / name)],
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
    assert pod["shareProcessNamespace"] is True  # else nobody reaps orphans


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


def test_a_server_on_a_full_node_is_given_the_time_to_start() -> None:
    """With 0.02 CPU the first answer takes 72 seconds, with 0.1 not ten."""
    (deployment,) = documents(BASE / "serve.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    startup = container["startupProbe"]

    assert startup["periodSeconds"] * startup["failureThreshold"] > 72
    assert container["resources"]["requests"]["cpu"] == "100m"


def test_a_migration_is_not_ended_before_its_own_timeouts() -> None:
    """The Job's deadline is longer than waiting for server, mutex and one index together."""
    (job,) = documents(BASE / "migrate.yaml")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    *_, option, wait = container["args"]
    defaults = {name: field.default for name, field in Settings.model_fields.items()}

    assert option == "--wait"
    longest = int(wait) + defaults["migration_mutex_wait"]
    longest += defaults["migration_concurrently_timeout"]
    assert job["spec"]["activeDeadlineSeconds"] > longest
    assert job["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= 60


def test_what_would_fail_again_is_not_tried_again() -> None:
    """Only a database that is away or busy is worth another try, and a drained node is."""
    (job,) = documents(BASE / "migrate.yaml")
    drained, final = job["spec"]["podFailurePolicy"]["rules"]

    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert (drained["action"], final["action"]) == ("Ignore", "FailJob")
    assert {ExitCode(value) for value in final["onExitCodes"]["values"]} == {
        ExitCode.USAGE,
        ExitCode.CONFIGURATION,
        ExitCode.REFUSED,
        ExitCode.MIGRATION_FAILED,
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_anchor_is_left_over(path: Path) -> None:
    """What is named is used."""
    text = path.read_text(encoding="utf-8")

    assert set(re.findall(r" &(\w+)", text)) == set(re.findall(r" \*(\w+)", text))


def test_the_settings_are_settings() -> None:
    """Every name in the settings' file is one that larp reads."""
    assert {name.lower() for name in settings()} <= set(Settings.model_fields)


def test_a_pod_gets_the_secrets_that_it_needs_and_no_other() -> None:
    """Only what migrates has the owner's URL; each file is named like its setting."""
    mounted = {}
    for pod in pods():
        (container,), (volume,) = pod["containers"], pod["volumes"]
        items = volume["secret"]["items"]
        assert all(item["key"] == item["path"] for item in items)
        mounted[container["name"]] = {item["key"] for item in items}

    common = {"database_url", "secret_key"}
    assert mounted == {
        "serve": common | {"health_details_token"},
        "migrate": common | {"database_migration_url"},
    }
    assert set.union(*mounted.values()) <= set(Settings.model_fields) & NAMES


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
