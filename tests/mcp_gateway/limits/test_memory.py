import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import Throttled
from mcp_gateway.core.target import Target
from mcp_gateway.limits.bucket import SECOND
from mcp_gateway.limits.memory import LONGEST_REMEMBERED, Level, MemoryLimiter
from tests.support.calls import ADD, ALICE, DELETE, GREET, REFUND, resolved

Limits = Mapping[Level, Mapping[str, str]]


@dataclass
class Clock:
    now: int = 10**12

    def __call__(self) -> int:
        return self.now


async def passes(limiter: MemoryLimiter, call: Call) -> bool:
    try:
        async with limiter.hold(call):
            return True
    except Throttled:
        return False


def by(name: str, target: Target = ADD, **changes: Any) -> Call:
    return resolved(target, principal=replace(ALICE, subject=name, **changes))


async def test_without_limits_everything_passes() -> None:
    limiter = MemoryLimiter({})
    assert all([await passes(limiter, resolved()) for _ in range(100)])


@pytest.mark.requirement("limit:retry-after-is-true")
async def test_who_is_over_the_limit_is_told_how_long_to_wait() -> None:
    clock = Clock()
    limiter = MemoryLimiter({"principal": {"default": "2/minute"}}, clock)
    assert [await passes(limiter, resolved()) for _ in range(3)] == [True, True, False]
    with pytest.raises(Throttled, match="2/minute for this principal") as caught:
        limiter.charge(resolved())
    assert caught.value.retry_after == pytest.approx(30)
    clock.now += 30 * SECOND - 1
    assert not await passes(limiter, resolved())
    clock.now += 1
    assert await passes(limiter, resolved())


@pytest.mark.parametrize(
    ("level", "same", "other"),
    [
        ("tenant", by("bob"), by("alice", tenant="else")),
        ("principal", by("alice", REFUND), by("bob")),
        ("principal", by("alice", client="x"), by("alice", issuer="https://idp")),
        ("client", by("bob"), by("alice", client="x")),
        ("upstream", by("bob", DELETE), by("alice", REFUND)),
        ("tool", by("bob"), by("alice", DELETE)),
        ("tool", by("bob"), by("alice", tenant="else")),
    ],
)
async def test_each_level_counts_its_own(level: Level, same: Call, other: Call) -> None:
    limiter = MemoryLimiter({level: {"default": "1/day"}}, Clock())
    assert await passes(limiter, by("alice"))
    assert not await passes(limiter, same)
    assert await passes(limiter, other)


async def test_the_most_specific_pattern_applies() -> None:
    texts = {"default": "3/day", "tool/*/*": "2/day", "tool/github/add": "1/day"}
    limiter = MemoryLimiter({"principal": texts}, Clock())
    counted = [
        sum([await passes(limiter, resolved(target)) for _ in range(9)])
        for target in (ADD, REFUND, GREET)
    ]
    assert counted == [1, 2, 3]


@pytest.mark.requirement("limit:all-levels-or-none")
async def test_a_call_over_one_limit_is_charged_to_none() -> None:
    limits: Limits = {"principal": {"default": "3/day"}, "tool": {"default": "1/day"}}
    limiter = MemoryLimiter(limits, Clock())
    assert await passes(limiter, resolved(ADD))
    for _ in range(10):
        assert not await passes(limiter, resolved(ADD))
    assert await passes(limiter, resolved(DELETE))
    assert await passes(limiter, resolved(REFUND))
    assert not await passes(limiter, resolved(GREET))


@pytest.mark.parametrize(
    "limits",
    [
        {"person": {"default": "1/day"}},
        {"person": {}},
        {"principal": {"default": "often"}},
        {"principal": {"github": "1/day"}},
        {"principal": {"tol/*/*": "1/day"}},
        {"principal": {"*": "1/day"}},
        {"principal": {"tool/a b/*": "1/day"}},
        {"principal": {"Default": "1/day"}},
    ],
)
def test_a_limit_that_would_limit_nothing_is_an_error(limits: Limits) -> None:
    with pytest.raises(ValueError, match=r"level|pattern|limit|target|kind"):
        MemoryLimiter(limits)


@pytest.mark.requirement("limit:bounded-memory")
async def test_a_new_caller_is_refused_while_every_counter_is_at_work() -> None:
    clock = Clock()
    limiter = MemoryLimiter({"principal": {"default": "2/minute"}}, clock, most=10)
    assert all([await passes(limiter, by(f"p{n}")) for n in range(10)])
    assert not any([await passes(limiter, by(f"q{n}")) for n in range(100)])
    assert await passes(limiter, by("p0"))
    assert len(limiter._tats) == 10
    clock.now += 30 * SECOND
    assert await passes(limiter, by("q"))
    assert len(limiter._tats) == 2


@pytest.mark.requirement("limit:bounded-memory")
async def test_a_refused_new_caller_costs_no_sweep_of_all_counters() -> None:
    limiter = MemoryLimiter({"principal": {"default": "1/day"}}, Clock(), most=50_000)
    for number in range(50_000):
        limiter._tats["principal", "default", "acme", "local", str(number)] = 2 * 10**15
    before = time.process_time()
    for number in range(1000):
        assert not await passes(limiter, by(f"new{number}"))
    assert time.process_time() - before < 0.3


async def test_long_names_are_limited_and_not_kept() -> None:
    limiter = MemoryLimiter({"principal": {"resource/*/*": "1/day"}}, Clock())
    long = Target("resource", "github", "x" * (LONGEST_REMEMBERED + 1))
    assert await passes(limiter, resolved(long))
    assert not await passes(limiter, resolved(long))
    assert not limiter._applied


async def test_what_limits_apply_is_remembered_within_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mcp_gateway.limits.memory.MOST_REMEMBERED", 5)
    limiter = MemoryLimiter({"principal": {"default": "100/day"}}, Clock())
    for number in range(50):
        assert await passes(limiter, resolved(Target("tool", "s", f"t{number}")))
        assert len(limiter._applied) <= 5


async def test_a_failing_call_stays_charged() -> None:
    limiter = MemoryLimiter({"principal": {"default": "1/day"}}, Clock())
    with pytest.raises(RuntimeError):
        async with limiter.hold(resolved()):
            raise RuntimeError
    assert not await passes(limiter, resolved())


@pytest.mark.requirement("reload:limits")
async def test_counters_of_limits_that_did_not_change_survive_other_limits() -> None:
    clock = Clock()
    limiter = MemoryLimiter({"principal": {"default": "1/day", "tool/github/add": "1/day"}}, clock)
    assert await passes(limiter, resolved(ADD))
    assert await passes(limiter, resolved(REFUND))

    other = limiter.renewed({"principal": {"default": "2/day", "tool/github/add": "1/day"}})

    assert not await passes(other, resolved(ADD))
    assert [await passes(other, resolved(REFUND)) for _ in range(3)] == [True, True, False]
    assert not await passes(limiter, resolved(ADD))


async def test_both_limiters_of_a_reload_count_together() -> None:
    limits: Limits = {"principal": {"default": "2/day"}}
    old = MemoryLimiter(limits, Clock(), most=2)
    new = old.renewed(limits)

    assert await passes(old, resolved())
    assert await passes(new, resolved())
    assert not await passes(old, resolved())
    assert not await passes(new, resolved())
    with pytest.raises(ValueError, match="no limit"):
        old.renewed({"principal": {"default": "often"}})
