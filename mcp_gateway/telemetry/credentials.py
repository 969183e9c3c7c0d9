"""What obtaining credentials comes to, and what is taken back, as metrics."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from mcp_gateway.core.credential import GrantKind
from mcp_gateway.telemetry.histogram import Histogram

KEPT: Final = "kept"
"""The outcome of a call whose credential was there already."""


class CredentialMetrics(Collector):
    """The labels are servers and kinds of the configuration, and words of the gateway's own.

    `kept` says, when somebody asks, how often each server was shown what was there already.
    """

    def __init__(self, kept: Callable[[], Mapping[tuple[str, GrantKind], int]] = dict) -> None:
        self.kept = kept
        self._sought: Counter[tuple[str, GrantKind, str]] = Counter()
        self._revoked: Counter[str] = Counter()
        self._seconds = Histogram(
            "mcp_gateway_credential_seconds",
            "Seconds that it took to obtain a credential, or to fail to",
            "kind",
        )

    def sought(self, server: str, kind: GrantKind, outcome: str, seconds: float) -> None:
        """A credential was not there, and somebody tried to obtain one."""
        self._sought[server, kind, outcome] += 1
        self._seconds.add(kind, seconds)

    def revoked(self, kind: str) -> None:
        """Something of this kind was taken back."""
        self._revoked[kind] += 1

    def collect(self) -> Iterator[Metric]:
        labels = ["server", "kind", "outcome"]
        found = CounterMetricFamily(
            "mcp_gateway_credentials", "What asking for a credential came to", labels=labels
        )
        for key, count in self._sought.items():
            found.add_metric(key, count)
        for (server, kind), count in self.kept().items():
            found.add_metric((server, kind, KEPT), count)
        yield found
        yield self._seconds.family()
        revoked = CounterMetricFamily(
            "mcp_gateway_revocations", "What was revoked by this process", labels=["kind"]
        )
        for one, count in self._revoked.items():
            revoked.add_metric([one], count)
        yield revoked
