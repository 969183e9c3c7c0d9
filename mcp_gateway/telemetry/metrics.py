"""Metrics: counted in plain dictionaries, and made into Prometheus' text when asked."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from mcp_gateway.core.call import Call
from mcp_gateway.telemetry.credentials import CredentialMetrics
from mcp_gateway.telemetry.histogram import Histogram
from mcp_gateway.telemetry.labels import method_of, outcome_of, server_of


@dataclass(frozen=True, slots=True)
class Gauge:
    """One value of this moment. Those of one name have the same labels."""

    name: str
    says: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


class Metrics(Collector):
    """Implements `ports.Observer`. The series are bounded: no label is what a caller wrote.

    `state` says what else is true at the moment at which somebody asks.
    """

    def __init__(self, state: Callable[[], Iterable[Gauge]] = tuple) -> None:
        self.state = state
        self._calls: Counter[tuple[str, str, str]] = Counter()
        self._seconds = Histogram(
            "mcp_gateway_call_seconds",
            "Seconds from a call's arrival to its outcome, its upstream included",
            "method",
        )
        self.credentials = CredentialMetrics()
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._registry.register(self.credentials)
        ProcessCollector(registry=self._registry)

    def ended(self, call: Call, outcome: str, seconds: float) -> None:
        method = method_of(call)
        self._calls[method, server_of(call), outcome_of(outcome)] += 1
        self._seconds.add(method, seconds)

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        labels = ["method", "server", "outcome"]
        calls = CounterMetricFamily("mcp_gateway_calls", "Calls that have ended", labels=labels)
        for key, count in self._calls.items():
            calls.add_metric(key, count)
        yield calls
        yield self._seconds.family()
        yield from _families(self.state())


def _families(gauges: Iterable[Gauge]) -> Iterator[GaugeMetricFamily]:
    families: dict[str, GaugeMetricFamily] = {}
    for gauge in gauges:
        labels = gauge.labels
        family = families.get(gauge.name)
        if family is None:
            name = f"mcp_gateway_{gauge.name}"
            family = families[gauge.name] = GaugeMetricFamily(name, gauge.says, labels=[*labels])
        family.add_metric([*labels.values()], gauge.value)
    yield from families.values()
