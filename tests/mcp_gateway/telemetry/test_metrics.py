from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from mcp_gateway.core.errors import REFUSALS
from mcp_gateway.core.target import Target
from mcp_gateway.telemetry.histogram import BUCKETS
from mcp_gateway.telemetry.metrics import Gauge, Metrics
from tests.support import calls
from tests.support.fakes import HIDDEN, FakePolicy

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(metrics: Metrics) -> Samples:
    """Everything that is said, as Prometheus' own parser reads it."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def counted(metrics: Metrics, **labels: str) -> float:
    return samples(metrics).get(("mcp_gateway_calls_total", tuple(sorted(labels.items()))), 0)


@pytest.mark.requirement("operations:metrics")
@pytest.mark.parametrize(
    "outcome", ["ok", "error", "cancelled", "failed", *(refusal.slug for refusal in REFUSALS)]
)
def test_calls_are_counted_by_method_server_and_outcome(outcome: str) -> None:
    metrics = Metrics()
    for _ in range(3):
        metrics.ended(calls.resolved(), outcome, 0.1)

    assert counted(metrics, method="tools/call", server="github", outcome=outcome) == 3


@pytest.mark.requirement("operations:metrics")
@given(seconds=st.lists(st.floats(0, 100), min_size=1, max_size=30))
def test_seconds_are_a_histogram_that_adds_up(seconds: list[float]) -> None:
    metrics = Metrics()
    for each in seconds:
        metrics.ended(calls.resolved(), "ok", each)
    found = samples(metrics)

    for edge in BUCKETS:
        key = (("le", str(float(edge))), ("method", "tools/call"))
        assert found["mcp_gateway_call_seconds_bucket", key] == sum(s <= edge for s in seconds)
    method = (("method", "tools/call"),)
    assert found["mcp_gateway_call_seconds_count", method] == len(seconds)
    assert found["mcp_gateway_call_seconds_sum", method] == pytest.approx(sum(seconds))


@pytest.mark.requirement("operations:metrics-are-bounded")
def test_whatever_callers_write_the_series_do_not_grow() -> None:
    metrics = Metrics()
    metrics.ended(calls.resolved(), "ok", 0.1)
    metrics.ended(calls.resolved(method="x"), "x", 0.1)
    denied = calls.snapshot(policy=FakePolicy(HIDDEN))
    metrics.ended(calls.resolved(snapshot=denied), "forbidden", 0.1)
    before = set(samples(metrics))
    for number in range(200):
        word = f"made-up-{number}"
        metrics.ended(calls.resolved(Target("method", "github", word), method=word), word, 0.1)
        stranger = calls.resolved(replace(calls.ADD, server=word), snapshot=denied)
        metrics.ended(stranger, "forbidden", 0.1)

    assert (
        set(samples(metrics)) - before
        == {
            (
                "mcp_gateway_calls_total",
                (("method", "other"), ("outcome", "other"), ("server", "github")),
            )
        }
        - before
    )
    assert "made-up" not in metrics.text().decode()


def test_the_state_of_the_moment_stands_beside_the_calls() -> None:
    metrics = Metrics(
        lambda: [
            Gauge("ready", "whether it is", True),
            Gauge("server_up", "whether it is", 1, {"server": "desk"}),
            Gauge("server_up", "whether it is", 0, {"server": 'a"b\n'}),
        ]
    )

    found = samples(metrics)
    assert found["mcp_gateway_ready", ()] == 1
    assert found["mcp_gateway_server_up", (("server", "desk"),)] == 1
    assert found["mcp_gateway_server_up", (("server", 'a"b\n'),)] == 0
    assert any(name == "process_resident_memory_bytes" for name, _ in found)
