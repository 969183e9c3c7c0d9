"""Failed attempts are counted by party, for a minute."""

import pytest

from mcp_gateway.edge import failures as module
from mcp_gateway.edge.failures import MOST_FAILURES, WINDOW, Failures

PEER = "203.0.113.7"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.requirement("identity:failures-are-limited")
@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.8", False),
        ("unix:one", "unix:two", False),
        ("", "", True),
    ],
)
def test_one_party_is_one_address(first: str, second: str, *, together: bool) -> None:
    failures = Failures(Clock())
    for _ in range(MOST_FAILURES):
        failures.count(first)

    assert failures.wait(first) > 0
    assert bool(failures.wait(second)) is together


@pytest.mark.requirement("identity:failures-are-limited")
def test_more_addresses_than_are_told_apart_share_one_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_ADDRESSES", 10)
    failures = Failures(Clock())
    for number in range(10 + MOST_FAILURES):
        failures.count(f"198.51.100.{number}")

    assert failures.wait("192.0.2.1") > 0
    assert failures.wait("198.51.100.3") == 0
    assert len(failures._by_peer) == 11


def test_a_failure_long_ago_is_forgotten_and_the_next_minute_counts_anew() -> None:
    clock = Clock()
    failures = Failures(clock)
    for _ in range(MOST_FAILURES - 1):
        failures.count(PEER)
    clock.now += WINDOW

    assert failures.wait(PEER) == 0
    failures.count(PEER)
    assert failures.wait(PEER) == 0
    clock.now += WINDOW - 1
    for _ in range(MOST_FAILURES - 1):
        failures.count(PEER)
    assert failures.wait(PEER) == 1


def test_a_window_that_nobody_looked_at_does_not_last() -> None:
    clock = Clock()
    failures = Failures(clock)
    for _ in range(MOST_FAILURES - 1):
        failures.count(PEER)
    clock.now += 10 * WINDOW

    failures.count(PEER)

    assert failures.wait(PEER) == 0
