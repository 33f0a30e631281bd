"""The exposition: the numbers of all workers, in Prometheus's text format."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import version

import numpy as np
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.observability.metrics.registry import Registry

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Exposition(Collector):
    """Adds up the slots of all workers, so that any one of them answers for all.

    Parameters
    ----------
    registry : Registry
        The families, and the slots.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def text(self) -> bytes:
        """Return all metrics."""
        return generate_latest(self)

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with its samples."""
        table = self._registry.slots.table
        used = table[table["is_used"]]
        totals = used["cells"].sum(axis=0).tolist()
        for family in self._registry.families:
            yield family.metric(totals)
        yield GaugeMetricFamily(
            "heartline_requests_in_flight",
            "Requests in flight, including this one.",
            used["in_flight"].sum(),
        )
        running = np.flatnonzero(table["pid"]).tolist()
        yield _models(table["model"][running].tolist())
        yield _build()
        yield GaugeMetricFamily("heartline_workers", "Worker processes.", len(running))
        yield CounterMetricFamily(
            "heartline_worker_deaths",
            "Workers that ended unexpectedly and were replaced.",
            used["deaths"].sum(),
        )
        yield from _processes(dict(zip(running, table["pid"][running].tolist(), strict=True)))


def _models(texts: Iterable[bytes]) -> Metric:
    metric = GaugeMetricFamily(
        "heartline_model_info", "1 for each model that a worker serves.", labels=["name", "version"]
    )
    for text in sorted({text for text in texts if text}):
        name, _, digest = text.decode(errors="replace").rpartition(" ")
        metric.add_metric([name, digest], 1)
    return metric


def _build() -> Metric:
    metric = GaugeMetricFamily(
        "heartline_build_info",
        "1 for the versions of Heartline and Python that the service runs.",
        labels=["version", "python_version"],
    )
    metric.add_metric([version("heartline"), platform.python_version()], 1)
    return metric


def _processes(pids: dict[int, int]) -> Iterable[Metric]:
    """Return prometheus-client's metrics of processes, with a label for the worker."""
    metrics: dict[str, Metric] = {}
    for worker, pid in pids.items():
        for family in _process(pid).collect():
            own = Metric(family.name, family.documentation, family.type)
            metric = metrics.setdefault(family.name, own)
            for sample in family.samples:
                metric.add_sample(sample.name, {"worker": str(worker)}, sample.value)
    return metrics.values()


def _process(pid: int) -> ProcessCollector:
    return ProcessCollector(pid=lambda: pid, registry=None)
