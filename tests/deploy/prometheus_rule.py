"""The PrometheusRule of deploy/kubernetes: the rules of deploy/prometheus in another envelope.

``python -m tests.deploy.prometheus_rule`` writes it.
"""

from __future__ import annotations

from textwrap import indent

from tests.conftest import ROOT

RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
MANIFEST = ROOT / "deploy" / "kubernetes" / "base" / "prometheusrule.yaml"
HEAD = """\
# Written from deploy/prometheus/rules.yml by python -m tests.deploy.prometheus_rule.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: heartline
spec:
"""


def manifest() -> str:
    """Return the text of the manifest."""
    return HEAD + indent(RULES.read_text(), "  ")


if __name__ == "__main__":
    MANIFEST.write_text(manifest())
