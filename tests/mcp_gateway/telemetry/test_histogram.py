import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.telemetry.histogram import BUCKETS, Histogram


@pytest.mark.requirement("operations:metrics")
@given(seconds=st.lists(st.floats(0, 100), min_size=1, max_size=30))
def test_a_histogram_adds_up(seconds: list[float]) -> None:
    histogram = Histogram("seconds", "what took how long", "kind")
    for each in seconds:
        histogram.add("a", each)
    found = {
        (sample.name, sample.labels.get("le", "")): sample.value
        for sample in histogram.family().samples
    }

    for edge in BUCKETS:
        assert found["seconds_bucket", str(edge)] == sum(s <= edge for s in seconds)
    assert found["seconds_count", ""] == found["seconds_bucket", "+Inf"] == len(seconds)
    assert found["seconds_sum", ""] == pytest.approx(sum(seconds))


def test_each_value_of_the_label_has_a_series() -> None:
    histogram = Histogram("seconds", "what took how long", "kind")
    for of in ("a", "b", "a"):
        histogram.add(of, 0.1)

    counts = {s.labels["kind"]: s.value for s in histogram.family().samples if "count" in s.name}
    assert counts == {"a": 2, "b": 1}
