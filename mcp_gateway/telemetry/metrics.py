"""Metrics: counted in plain dictionaries, and made into Prometheus' text when asked."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from mcp_gateway.core.call import Call
from mcp_gateway.telemetry.labels import method_of, outcome_of, server_of

BUCKETS: Final = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
)


@dataclass(frozen=True, slots=True)
class Gauge:
    """One value of this moment. `server` is a label, or empty for none."""

    name: str
    says: str
    value: float
    server: str = ""


class Metrics(Collector):
    """Implements `ports.Observer`. The series are bounded: no label is what a caller wrote.

    `state` says what else is true at the moment at which somebody asks.
    """

    def __init__(self, state: Callable[[], Iterable[Gauge]] = tuple) -> None:
        self.state = state
        self._calls: Counter[tuple[str, str, str]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def ended(self, call: Call, outcome: str, seconds: float) -> None:
        method = method_of(call)
        self._calls[method, server_of(call), outcome_of(outcome)] += 1
        self._seconds[method] += seconds  # type: ignore[assignment]  # a sum of floats
        buckets = self._buckets.get(method)
        if buckets is None:
            buckets = self._buckets[method] = [0] * (len(BUCKETS) + 1)
        buckets[bisect_left(BUCKETS, seconds)] += 1

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        labels = ["method", "server", "outcome"]
        calls = CounterMetricFamily("mcp_gateway_calls", "Calls that have ended", labels=labels)
        for key, count in self._calls.items():
            calls.add_metric(key, count)
        yield calls
        yield self._histogram()
        yield from _families(self.state())

    def _histogram(self) -> HistogramMetricFamily:
        family = HistogramMetricFamily(
            "mcp_gateway_call_seconds",
            "Seconds from a call's arrival to its outcome, its upstream included",
            labels=["method"],
        )
        edges = [*map(str, BUCKETS), "+Inf"]
        for method, counts in self._buckets.items():
            totals, total = [], 0
            for edge, count in zip(edges, counts, strict=True):
                total += count
                totals.append((edge, total))
            family.add_metric([method], totals, sum_value=self._seconds[method])
        return family


def _families(gauges: Iterable[Gauge]) -> Iterator[GaugeMetricFamily]:
    families: dict[str, GaugeMetricFamily] = {}
    for gauge in gauges:
        labels = {"server": gauge.server} if gauge.server else {}
        family = families.get(gauge.name)
        if family is None:
            name = f"mcp_gateway_{gauge.name}"
            family = families[gauge.name] = GaugeMetricFamily(name, gauge.says, labels=[*labels])
        family.add_metric([*labels.values()], gauge.value)
    yield from families.values()
