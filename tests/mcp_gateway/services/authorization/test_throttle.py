import pytest

from mcp_gateway.limits.bucket import SECOND, Rate
from mcp_gateway.services.authorization.throttle import Throttle

RATE = Rate.parse("2/minute")


class Time:
    now = 1

    def __call__(self) -> int:
        return self.now


def test_an_address_has_its_rate_and_is_told_how_long_to_wait() -> None:
    time = Time()
    throttle = Throttle(time)

    waits = [throttle.wait("192.0.2.1", RATE) for _ in range(3)]
    other = throttle.wait("192.0.2.2", RATE)
    time.now += 30 * SECOND
    later = throttle.wait("192.0.2.1", RATE)

    assert waits == [0, 0, 30]
    assert other == 0
    assert later == 0


@pytest.mark.requirement("attack:d2")
@pytest.mark.parametrize(
    "peers",
    [
        [f"2001:db8:0:1::{n:x}" for n in range(1, 9)],
        ["::ffff:192.0.2.1", "192.0.2.1", "::ffff:c000:201"],
    ],
)
def test_the_addresses_of_one_party_are_one(peers: list[str]) -> None:
    throttle = Throttle(Time())

    waits = [throttle.wait(peer, RATE) for peer in peers]

    assert waits[:2] == [0, 0]
    assert all(waits[2:])


def test_addresses_beyond_the_bound_wait_until_others_are_at_rest() -> None:
    time = Time()
    throttle = Throttle(time, most=2)

    first = [throttle.wait(f"192.0.2.{n}", RATE) for n in range(3)]
    known = throttle.wait("192.0.2.0", RATE)
    time.now += 61 * SECOND
    later = throttle.wait("192.0.2.9", RATE)

    assert first == [0, 0, 1]
    assert (known, later) == (0, 0)
    assert len(throttle._tats) == 1
