"""What kustomize makes of deploy/kubernetes, validated; scripts/deploy-check runs this."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.deploy.manifests import KUBERNETES, SCHEMAS, faults, of_kind, pod_of, read, variables
from tests.deploy.stopping import seconds_to_stop

TOOLS = Path(os.environ["DEPLOY_CHECK_TOOLS"])
KUSTOMIZATIONS = [
    "base",
    *sorted(f"overlays/{p.name}" for p in (KUBERNETES / "overlays").iterdir()),
]

pytestmark = pytest.mark.slow


def tool(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    # Without PYTHONPATH: the packages of the tools are not those of the project.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [TOOLS / name, *arguments], env=kept, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what each kustomization renders to."""
    folder = tmp_path_factory.mktemp("rendered")
    for name in KUSTOMIZATIONS:
        made = tool("kubectl", "kustomize", KUBERNETES / name)
        assert (made.returncode, made.stderr) == (0, "")
        file_of(folder, name).write_text(made.stdout)
    return folder


def file_of(folder: Path, name: str) -> Path:
    return folder / f"{Path(name).name}.yaml"


@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_kubernetes_accepts_every_field(rendered: Path, name: str) -> None:
    checked = tool("kubernetes-validate", "--strict", "--no-warn", file_of(rendered, name))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    core = [m for m in read(file_of(rendered, name)) if "monitoring" not in m["apiVersion"]]
    assert checked.stdout.count("passed") == len(core)
    assert list(faults(read(file_of(rendered, name)))) == []


def test_a_misspelt_field_would_be_found(rendered: Path, tmp_path: Path) -> None:
    text = file_of(rendered, "base").read_text()
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace("enableServiceLinks:", "enableServiceLink:"))
    checked = tool("kubernetes-validate", "--strict", "--no-warn", wrong)
    assert checked.returncode != 0
    assert "enableServiceLink" in checked.stdout + checked.stderr


def policies(folder: Path) -> list[dict[str, Any]]:
    """Return the results of checkov's policies."""
    run = tool("checkov", "--framework=kubernetes", "--skip-download", "-o", "json", "-d", folder)
    assert run.stdout, run.stderr
    return [json.loads(run.stdout)["results"]]


def test_no_policy_of_checkov_is_left_without_an_answer(rendered: Path) -> None:
    (results,) = policies(rendered)
    assert [(check["check_id"], check["resource"]) for check in results["failed_checks"]] == []
    assert len(results["passed_checks"]) > 60 * len(KUSTOMIZATIONS)
    assert {check["check_id"] for check in results["skipped_checks"]} == {"CKV_K8S_43"}


def test_checkov_would_find_a_root_that_can_be_written(rendered: Path, tmp_path: Path) -> None:
    text = file_of(rendered, "base").read_text()
    (tmp_path / "wrong.yaml").write_text(text.replace("readOnlyRootFilesystem: true", ""))
    (results,) = policies(tmp_path)
    assert [check["check_id"] for check in results["failed_checks"]] == ["CKV_K8S_22"]


@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_the_times_of_a_stop_fit_together(rendered: Path, name: str) -> None:
    pod = pod_of(read(file_of(rendered, name)))
    assert pod["terminationGracePeriodSeconds"] > seconds_to_stop(variables(pod))


@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_no_token_is_mounted_and_no_connection_goes_out(rendered: Path, name: str) -> None:
    manifests = read(file_of(rendered, name))
    assert pod_of(manifests)["automountServiceAccountToken"] is False
    assert of_kind(manifests, "NetworkPolicy")["spec"]["egress"] == []


def test_the_overlay_of_the_page_is_rendered(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "deploy.md").read_text()
    written = page.partition("kustomization.yaml <<EOF\n")[2].partition("EOF\n")[0]
    folder = os.path.relpath(KUBERNETES, tmp_path)
    written = written.replace("../deploy/kubernetes", folder).replace("$REGISTRY", "registry/team")
    (tmp_path / "kustomization.yaml").write_text(written)
    made = tool("kubectl", "kustomize", tmp_path)
    assert made.returncode == 0, made.stderr
    pod = pod_of(yaml.safe_load_all(made.stdout))
    assert pod["containers"][0]["image"] == "registry/team/heartline:0.2.0"


def test_every_component_is_in_the_combined_overlay(rendered: Path) -> None:
    manifests = read(file_of(rendered, "combined"))
    pod = pod_of(manifests)
    (container,) = pod["containers"]
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {
        "/models",
        "/run/secrets/heartline-api-keys",
        "/run/secrets/heartline-tls",
    }
    assert {name for name in variables(pod) if name.startswith("HEARTLINE_")} == {
        "HEARTLINE_API_KEYS_FILE",
        "HEARTLINE_ARTIFACT",
        "HEARTLINE_SSL_CERTFILE",
        "HEARTLINE_SSL_KEYFILE",
    }
    probes = ("startupProbe", "readinessProbe", "livenessProbe")
    assert {container[probe]["httpGet"]["scheme"] for probe in probes} == {"HTTPS"}
    assert not {"ServiceMonitor", "PrometheusRule"} & {each["kind"] for each in manifests}


def test_the_monitor_has_the_key_and_the_scheme_of_the_service(rendered: Path) -> None:
    keys, tls = (
        of_kind(read(file_of(rendered, name)), "ServiceMonitor")["spec"]["endpoints"][0]
        for name in ("api-keys", "tls")
    )
    assert keys["authorization"]["credentials"]["name"] == "heartline-api-keys"
    assert tls["scheme"] == "https"


def test_the_own_model_is_another_image(rendered: Path) -> None:
    image = pod_of(read(file_of(rendered, "own-model")))["containers"][0]["image"]
    assert image == "heartline-own-model:1"


def test_the_schemas_are_those_of_the_operator(tmp_path: Path) -> None:
    made = tool("python", ROOT / "tests" / "manifests" / "write_schemas.py", tmp_path)
    assert made.returncode == 0, made.stderr
    names = {path.name for path in SCHEMAS.iterdir()}
    assert {path.name for path in tmp_path.iterdir()} == names
    for name in names:
        assert json.loads((SCHEMAS / name).read_text()) == json.loads((tmp_path / name).read_text())


def test_the_compose_file_fits_the_specification(tmp_path: Path) -> None:
    compose = ROOT / "deploy" / "compose" / "compose.yaml"
    checked = tool("check-jsonschema", "--builtin-schema=vendor.compose-spec", compose)
    assert checked.returncode == 0, checked.stdout
    (document,) = read(compose)
    document["services"]["heartline"]["read-only"] = True
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(yaml.safe_dump(document))
    checked = tool("check-jsonschema", "--builtin-schema=vendor.compose-spec", wrong)
    assert "read-only" in checked.stdout


def test_docker_compose_reads_the_file(tmp_path: Path) -> None:
    # Debian's client is of version 1, which takes the project's name from the command line alone.
    compose = ROOT / "deploy" / "compose" / "compose.yaml"
    copy = tmp_path / "compose.yaml"
    copy.write_text(compose.read_text().replace("name: heartline\n", "", 1))
    folder = str(compose.parent)
    command = ["docker-compose", "--project-directory", folder, "-f", str(copy), "config"]
    read_back = subprocess.run(command, capture_output=True, text=True, check=False)
    assert read_back.returncode == 0, read_back.stderr
    services = yaml.safe_load(read_back.stdout)["services"]
    assert services["heartline"]["environment"]["HEARTLINE_ARTIFACT"] == "/models/heart.npz"
    assert services.keys() == {"grafana", "heartline", "prometheus"}


def test_the_autoscaler_counts_requests_by_a_metric_that_exists(rendered: Path) -> None:
    metrics = of_kind(read(file_of(rendered, "combined")), "HorizontalPodAutoscaler")["spec"][
        "metrics"
    ]
    (name,) = (metric["pods"]["metric"]["name"] for metric in metrics if metric["type"] == "Pods")
    assert f"`{name}`" in (ROOT / "docs" / "metrics.md").read_text()
