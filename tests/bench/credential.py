"""`python -m tests.bench.credential`: what the broker costs a call whose credential it has.

Exits with 1 when a kind takes more than BOUND microseconds, the median of the rounds.
"""

import sys
import time
from dataclasses import replace
from statistics import median
from typing import Final

import uvloop

from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Credential, Grant, GrantKind
from mcp_gateway.core.grants import Granted, grant_key
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Keyring
from mcp_gateway.oauth.broker import Broker, Kept
from mcp_gateway.oauth.ports import Obtained, Wanted
from mcp_gateway.oauth.terms import Terms
from tests.bench import machine
from tests.support.calls import ADD, resolved
from tests.support.oauth_fakes import FakeConsents

BOUND: Final = 20.0
CALLS: Final = 20_000
ROUNDS: Final = 5
PEOPLE: Final = 10_000
KINDS: Final[tuple[GrantKind, ...]] = ("service", "delegated", "token_exchange", "id_jag")


class Once:
    """Implements `ports.Source`: whoever asks it again was not warm."""

    def __init__(self) -> None:
        self.asked = 0

    async def obtain(self, wanted: Wanted) -> Obtained:
        self.asked += 1
        headers = (("Authorization", f"Bearer {wanted.principal.subject}"),)
        version = wanted.granted.version if wanted.granted else 0
        return Obtained(Credential("bench", headers), time.time() + 3600, version)


def _person(number: int) -> Principal:
    return Principal("https://idp.example.com", f"p{number}", "acme", client="code")


async def measured(kind: GrantKind) -> float:
    """Microseconds a call, with as many grants as a large company has."""
    grants = {grant_key(_person(n), "github"): Granted(f"g{n}", 1) for n in range(PEOPLE)}
    keyring, source = Keyring(grants=grants), Once()
    tools = (("add*", frozenset({"write"})), ("*", frozenset({"read"})))
    terms = {"github": Terms("github", "https://up", Grant(kind, tools=tools))}
    broker = Broker(terms, {}, {kind: source}, FakeConsents(), lambda: keyring, Kept())
    calls: list[Call] = [replace(resolved(ADD), principal=_person(n)) for n in range(100)]
    for call in calls:
        await broker.credential(call)
    warm, rounds = source.asked, []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _ in range(CALLS // len(calls)):
            for call in calls:
                await broker.credential(call)
        rounds.append((time.perf_counter() - begun) / CALLS * 1e6)
    assert source.asked == warm
    return median(rounds)


def main() -> int:
    print(f"calibration {machine.calibration():.0f} ms; at most {BOUND:g} us a call")
    figures = {kind: uvloop.run(measured(kind)) for kind in KINDS}
    for kind, figure in figures.items():
        print(f"  {kind:16} {figure:6.2f} us")
    return int(max(figures.values()) > BOUND)


if __name__ == "__main__":
    sys.exit(main())
