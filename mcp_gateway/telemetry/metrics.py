"""Metrics: counted in plain dictionaries, and made into Prometheus' text when asked."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from mcp_gateway.core.call import Call

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
Metric = CounterMetricFamily | HistogramMetricFamily


class Metrics(Collector):
    """Counts in plain dictionaries, and becomes Prometheus' text when it is asked."""

    def __init__(self) -> None:
        self._calls: Counter[tuple[str, str, str]] = Counter()
        self._buckets = [0] * (len(BUCKETS) + 1)
        self._seconds = 0.0
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def ended(self, call: Call, outcome: str, seconds: float) -> None:
        server = call.target.server if call.decision.allowed else ""
        self._calls[call.method if call.target.server else "", server, outcome] += 1
        self._seconds += seconds
        place = next((i for i, edge in enumerate(BUCKETS) if seconds <= edge), len(BUCKETS))
        self._buckets[place] += 1

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        labels = ["method", "server", "outcome"]
        calls = CounterMetricFamily("mcp_gateway_calls", "Calls that have ended", labels=labels)
        for key, count in self._calls.items():
            calls.add_metric(key, count)
        yield calls
        yield self._histogram()

    def _histogram(self) -> HistogramMetricFamily:
        cumulative, total = [], 0
        for edge, count in zip((*map(str, BUCKETS), "+Inf"), self._buckets, strict=True):
            total += count
            cumulative.append((edge, total))
        return HistogramMetricFamily(
            "mcp_gateway_call_seconds",
            "Seconds from a call's arrival to its outcome, its upstream included",
            buckets=cumulative,
            sum_value=self._seconds,
        )
