import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.limits.bucket import SECOND, Rate, charge

RATES = st.builds(
    lambda count, unit, burst: Rate.parse(f"{count}/{unit} burst {burst}"),
    st.integers(1, 2000),
    st.sampled_from(["second", "minute", "hour", "day"]),
    st.integers(1, 20),
)
GAPS = st.lists(st.integers(0, 100 * SECOND) | st.integers(0, SECOND // 100), max_size=60)


@pytest.mark.parametrize(
    ("text", "interval", "burst"),
    [
        ("60/minute", SECOND, 60),
        ("10/second burst 20", SECOND // 10, 20),
        ("7/second", 142_857_143, 7),
        ("1/day", 86_400 * SECOND, 1),
        (" 1000000/second ", 1000, 1_000_000),
        ("60000000/minute burst 5", 1000, 5),
    ],
)
def test_a_limit_is_read(text: str, interval: int, burst: int) -> None:
    rate = Rate.parse(text)
    assert (rate.interval, rate.burst) == (interval, burst)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "60",
        "60/fortnight",
        "0/minute",
        "-1/minute",
        "1.5/minute",
        "60/minute burst 0",
        "60/minute burst",
        "60/minute  burst 1",
        "60/minute\n",
        "\u0666\u0660/minute",
        "\xb2/minute",
        "60/minute burst \u0661",
        "1000001/second",
        "60000001/minute",
        "9999999999999/day",
    ],
)
def test_what_is_no_limit_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no limit|limits nothing"):
        Rate.parse(text)


@given(st.integers(1, 1_000_000), st.sampled_from(["second", "minute", "hour", "day"]))
def test_rounding_never_lets_more_through(count: int, unit: str) -> None:
    period = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}[unit] * SECOND
    assert Rate.parse(f"{count}/{unit}").interval * count >= period


@pytest.mark.requirement("limit:never-more-than-the-rate")
@given(RATES, st.integers(0, 10**18), GAPS)
def test_in_no_span_do_more_pass_than_burst_and_rate_allow(
    rate: Rate, start: int, gaps: list[int]
) -> None:
    tat, now = 0, start
    passed: list[int] = []
    for gap in gaps:
        now += gap
        tat, wait = charge(tat, now, rate)
        if not wait:
            passed.append(now)
    for first, begun in enumerate(passed):
        for last in range(first, len(passed)):
            span = passed[last] - begun
            assert last - first + 1 <= rate.burst + span // rate.interval


@given(RATES, st.integers(0, 10**18))
def test_a_whole_burst_passes_at_once_and_no_more(rate: Rate, now: int) -> None:
    tat = 0
    for _ in range(rate.burst):
        tat, wait = charge(tat, now, rate)
        assert wait == 0
    assert charge(tat, now, rate) == (tat, rate.interval)


@pytest.mark.requirement("limit:retry-after-is-true")
@given(RATES, st.integers(0, 10**18), GAPS)
def test_who_waits_as_told_passes_and_not_a_moment_sooner(
    rate: Rate, start: int, gaps: list[int]
) -> None:
    tat, now = 0, start
    for gap in gaps:
        now += gap
        before = tat
        tat, wait = charge(tat, now, rate)
        if wait:
            assert tat == before
            assert charge(tat, now + wait, rate)[1] == 0
            assert charge(tat, now + wait - 1, rate)[1] == 1


@given(RATES, st.integers(0, 10**18))
def test_who_keeps_to_the_rate_is_never_refused(rate: Rate, start: int) -> None:
    tat = 0
    for number in range(50):
        tat, wait = charge(tat, start + number * rate.interval, rate)
        assert wait == 0
