"""`python -m tests.bench.token`: what it costs to look at a token again that was verified before.

Its issuer is one that is asked what it took back.

Exits with 1 when it takes more than BOUND microseconds, the median of the rounds.
"""

import sys
import time
from statistics import median
from typing import Final

from joserfc.jwk import KeySet

from mcp_gateway.core.snapshot import Keyring
from mcp_gateway.oauth.ports import GrantOptions
from mcp_gateway.oauth.rfc7662 import Introspection
from mcp_gateway.oauth.rfc9068 import AccessTokens
from mcp_gateway.oauth.upstream.rfc6749 import TokenEndpoint
from mcp_gateway.services.introspections import Introspections
from mcp_gateway.wire.http import HttpClient
from mcp_gateway.wire.network import Network
from tests.bench import machine
from tests.support.fakes import FakeLedger
from tests.support.tokens import AUDIENCE, EXPECTED, ISSUER, RSA, claims, public, signed

BOUND: Final = 2.0
LOOKS: Final = 100_000
ROUNDS: Final = 5


def measured() -> float:
    """Microseconds a look: the token, and whether a name of it was revoked or has ended."""
    now = int(time.time())
    tokens = AccessTokens(EXPECTED)
    ledger, client = FakeLedger(), GrantOptions(client="gateway")
    asked = Introspection(TokenEndpoint(HttpClient(Network())), ISSUER, ISSUER, lambda: client)
    tokens.seen = Introspections(ledger, lambda: None).ask(asked)
    tokens.swap(KeySet.import_key_set(public(RSA)))  # type: ignore[arg-type]
    token = signed(claims(iat=now, exp=now + 3000))
    revoked = frozenset(f"subject:local|gone-{number}" for number in range(1000))
    keyring = Keyring(revoked=revoked, ended={f"family:{n}": now for n in range(1000)})
    tokens.accept(token, AUDIENCE)
    rounds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _ in range(LOOKS):
            accepted = tokens.accept(token, AUDIENCE)
            assert not keyring.is_over(accepted.names, accepted.issued)
        rounds.append((time.perf_counter() - begun) / LOOKS * 1e6)
    return median(rounds)


def main() -> None:
    taken = measured()
    print(f"a token that is known: {taken:.2f} us; calibration {machine.calibration():.0f} ms")
    sys.exit(taken > BOUND)


if __name__ == "__main__":
    main()
