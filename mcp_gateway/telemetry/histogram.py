"""A histogram of seconds: counted in plain lists, and made into Prometheus' family when asked."""

from bisect import bisect_left
from collections import defaultdict
from typing import Final

from prometheus_client.core import HistogramMetricFamily

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


class Histogram:
    """One series for each value of one label."""

    def __init__(self, name: str, says: str, label: str) -> None:
        self._about = name, says, label
        self._buckets: defaultdict[str, list[int]] = defaultdict(_empty)
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def add(self, of: str, seconds: float) -> None:
        self._seconds[of] += seconds
        self._buckets[of][bisect_left(BUCKETS, seconds)] += 1

    def family(self) -> HistogramMetricFamily:
        name, says, label = self._about
        family = HistogramMetricFamily(name, says, labels=[label])
        edges = [*map(str, BUCKETS), "+Inf"]
        for of, counts in self._buckets.items():
            totals, total = [], 0
            for edge, count in zip(edges, counts, strict=True):
                total += count
                totals.append((edge, total))
            family.add_metric([of], totals, sum_value=self._seconds[of])
        return family


def _empty() -> list[int]:
    return [0] * (len(BUCKETS) + 1)
