"""Who vouches for callers, and what is taken back of it."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from starlette.routing import Route

from mcp_gateway.config import Settings
from mcp_gateway.edge.authorization.answers import Answers
from mcp_gateway.edge.backchannel import Backchannel
from mcp_gateway.edge.failures import Failures
from mcp_gateway.edge.origins import Origins
from mcp_gateway.oauth.backchannel import Expected
from mcp_gateway.oauth.rfc7662 import Introspection
from mcp_gateway.oauth.rfc9068 import Seen
from mcp_gateway.oauth.upstream.rfc6749 import TokenEndpoint
from mcp_gateway.services.acts.tokens import TokenActs
from mcp_gateway.services.introspections import Introspections
from mcp_gateway.services.logouts import LogOuts
from mcp_gateway.store.keys import Keys
from mcp_gateway.store.revocations import Revocations
from mcp_gateway.wiring.ground import Ground, Wired
from mcp_gateway.wiring.upstreams import providing

HOUR: Final = 3600.0


def wire(ground: Ground, wired: Wired) -> None:
    """Revocations, and how an issuer's own are heard of."""
    revocations = Revocations(ground.database)
    wired.acting["tokens"] = TokenActs(
        revocations,
        Keys(ground.database),
        ground.keyring,
        lambda: ground.settings().identity.max_token_lifetime,
        ground.metrics.credentials.revoked,
    )
    _asked(ground, wired)
    _told(wired, LogOuts(revocations, ground.keyring, ground.ledger))

    async def collect() -> None:
        """Forgets once an hour what is over by itself; not at once, when all begins."""
        while True:
            await asyncio.sleep(HOUR)
            await asyncio.to_thread(revocations.collect, int(time.time()))

    wired.jobs["revocations that are over"] = collect


def _asked(ground: Ground, wired: Wired) -> None:
    """Introspection. What is known of tokens outlives a configuration that asks at the same place.

    The secret is read for each question: it may change at its place.
    """
    current = ground.current
    watching = Introspections(ground.ledger, lambda: current.swap_keyring(current.keyring))
    place: tuple[str, ...] = ()
    seen: Seen | None = None

    def of(settings: Settings) -> Seen | None:
        nonlocal place, seen
        identity = settings.identity
        wanted = (identity.introspection, identity.issuer, identity.client)
        if wanted != place:
            place, seen = wanted, watching.ask(_introspection(ground, settings))
        return seen

    wired.seen = of
    wired.jobs["introspection"] = watching.follow
    wired.troubles.append(watching.trouble)


def _introspection(ground: Ground, settings: Settings) -> Introspection | None:
    identity = settings.identity
    if not identity.introspection:
        return None
    return Introspection(
        TokenEndpoint(ground.http),
        identity.introspection,
        identity.issuer,
        lambda: providing(ground.settings())[1],
    )


def _told(wired: Wired, logouts: LogOuts) -> None:
    """Log-outs over the back channel. Failures outlive a configuration."""
    failures = Failures()

    def routes(settings: Settings) -> Sequence[Route]:
        gateway, identity, issuer = settings.gateway, settings.identity, wired.issuer
        if not identity.backchannel or issuer is None:
            return []
        origins = Origins(settings.public, gateway.listen, gateway.hosts, gateway.origins)
        expected = Expected(
            identity.issuer, frozenset(identity.backchannel), tuple(identity.algorithms)
        )
        return Backchannel(
            Answers(origins, failures),
            failures,
            expected,
            logouts,
            lambda: issuer.keys,
            issuer.jwks.want,
        ).routes()

    wired.routes.append(routes)
