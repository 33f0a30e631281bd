"""What the manifests of Kubernetes promise; scripts/deploy-check renders and validates them."""

from __future__ import annotations

from tests.deploy import prometheus_rule
from tests.deploy.manifests import KUBERNETES, faults, of_kind, pod_of, read, variables
from tests.deploy.stopping import seconds_to_drain, seconds_to_stop

BASE = [manifest for path in (KUBERNETES / "base").glob("*.yaml") for manifest in read(path)]


def test_kubernetes_waits_for_as_long_as_a_stop_may_take() -> None:
    pod = pod_of(BASE)
    assert pod["terminationGracePeriodSeconds"] > seconds_to_stop(variables(pod))


def test_the_drain_is_longer_than_the_readiness_probe_takes_to_fail() -> None:
    pod = pod_of(BASE)
    probe = pod["containers"][0]["readinessProbe"]
    noticed = probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]
    assert seconds_to_drain(variables(pod)) > noticed


def test_the_rules_of_the_operator_are_those_of_prometheus() -> None:
    command = "write it with python -m tests.deploy.prometheus_rule"
    assert prometheus_rule.MANIFEST.read_text() == prometheus_rule.manifest(), command
    rules = of_kind(BASE, "PrometheusRule")["spec"]
    (written,) = read(prometheus_rule.RULES)
    assert rules == written


def test_the_operator_accepts_its_kinds() -> None:
    assert list(faults(BASE)) == []


def test_a_misspelt_field_of_the_operator_would_be_found() -> None:
    monitor = of_kind(BASE, "ServiceMonitor")
    endpoint = {**monitor["spec"]["endpoints"][0], "intervall": "15s"}
    wrong = {**monitor, "spec": {**monitor["spec"], "endpoints": [endpoint]}}
    (fault,) = faults([wrong])
    assert "intervall" in fault


def test_no_service_link_can_look_like_a_setting() -> None:
    assert pod_of(BASE)["enableServiceLinks"] is False


def test_the_rules_know_the_service_by_its_job() -> None:
    labels = of_kind(BASE, "ServiceMonitor")["spec"]["jobLabel"]
    (kustomization,) = read(KUBERNETES / "base" / "kustomization.yaml")
    assert kustomization["labels"][0]["pairs"][labels] == "heartline"
