"""The composition root: knows everything, decides nothing."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

import skills
from connectors import Services
from local_models.guards.profiles import Profile
from mcp_gateway.config import ConfigError, Settings
from mcp_gateway.core import ports
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.shown import Shown
from mcp_gateway.core.snapshot import Chains, Current
from mcp_gateway.edge import asgi, http1
from mcp_gateway.edge.admin import AdminEdge
from mcp_gateway.edge.asgi import Receive, Scope, Send
from mcp_gateway.edge.bearer import BearerAuthenticator
from mcp_gateway.edge.listening import Listening
from mcp_gateway.edge.mcp import Kept, McpEndpoint, Terms
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.pulse import Pulse
from mcp_gateway.edge.wellknown import WellKnown, in_json, scopes_at
from mcp_gateway.home import Home
from mcp_gateway.ledger.append import Log
from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.ledger.folder import open_log
from mcp_gateway.oauth.ports import Tokens
from mcp_gateway.oauth.rfc9068 import AccessTokens
from mcp_gateway.parts import Front, Parts, gauges, troubles
from mcp_gateway.pipeline import compose, hearing
from mcp_gateway.services import own, siblings
from mcp_gateway.services.attendance import Attendance
from mcp_gateway.services.awaited import Awaited
from mcp_gateway.services.bulletin import Bulletin
from mcp_gateway.services.compiled import Compiled
from mcp_gateway.services.handles import Handles
from mcp_gateway.services.invitations import Invitations
from mcp_gateway.services.issuer import Issuer
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.services.listens import Listens
from mcp_gateway.services.local import Local
from mcp_gateway.services.operations import OPERATIONS, Operations
from mcp_gateway.services.parking import Parking
from mcp_gateway.services.review import Review
from mcp_gateway.services.snapshots import Chain, Prepared, Snapshots
from mcp_gateway.stages.approve import Approve
from mcp_gateway.stages.authorize import Authorize
from mcp_gateway.stages.exchange import Exchange, Given, not_given
from mcp_gateway.stages.forward import Forward
from mcp_gateway.stages.guard import MOST_HELD, Guard
from mcp_gateway.stages.limit import Limit
from mcp_gateway.stages.record import Record
from mcp_gateway.stages.resolve import Resolve, resolve
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import Keys
from mcp_gateway.store.pins import AccessRequests, Pins
from mcp_gateway.telemetry.metrics import Metrics
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.http import HttpClient, Network
from mcp_gateway.wiring import registry, wired
from mcp_gateway.wiring.ground import Ground, Wired

log = logging.getLogger(__name__)
FOLLOWED: Final = "the keys of the issuer"
"""The job that fetches them."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What the stages reach the outside through."""

    ledger: ports.Ledger
    parking: ports.Parking
    handles: ports.Handles
    observers: list[ports.Observer]
    limiter: ports.Limiter
    profiles: Mapping[str, Profile]
    broker: ports.Broker
    most: int = MOST_HELD
    """Bytes of the largest result that is held until it has been looked at."""
    shown: Shown = field(default_factory=Shown)
    """The questions of tasks that stand on the record."""
    given: Given = not_given


def chain(through: Ports) -> Chains:
    """The stages, in the one order in which every call passes them.

    What an upstream says by itself passes those that do not send.
    """
    stages: list[ports.Stage] = [
        Record(through.ledger, through.parking, through.observers, shown=through.shown),
        Resolve(through.handles),
        Authorize(),
        Limit(through.limiter),
        Guard(through.profiles, through.most),
        Approve(),
        Exchange(through.broker, through.given),
        Forward(through.ledger, through.parking),
    ]
    heard = [stage for stage in stages if not isinstance(stage, Limit | Exchange | Forward)]
    return Chains(compose(stages), hearing(heard))


@dataclass(frozen=True, slots=True)
class _Chains:
    """The chain of each configuration, on what none of them replaces."""

    ledger: ports.Ledger
    parking: ports.Parking
    handles: ports.Handles
    observers: list[ports.Observer]
    broker: Callable[[Settings], ports.Broker]
    given: Given
    shown: Shown = field(default_factory=Shown)

    def __call__(self, settings: Settings, compiled: Compiled, limiter: ports.Limiter) -> Chains:
        kept = (self.ledger, self.parking, self.handles, self.observers)
        broker, most = self.broker(settings), settings.streams.result_limit
        return chain(Ports(*kept, limiter, compiled.guards, broker, most, self.shown, self.given))


def answer(call: Call) -> Awaitable[Result]:
    """Through the chain of the snapshot that the call picked up: it sees one world."""
    return call.snapshot.chain(call)


async def build(settings: Settings, home: Home, base: Path | None = None) -> Parts:
    """Opens everything, and puts the first snapshot in force. Raises ConfigError.

    `base` is the folder that the paths of the configuration are relative to: the data folder,
    unless it lies elsewhere.
    """
    siblings.check()
    async with AsyncExitStack() as stack:
        parts = await _opened(settings, home, base or home.folder, stack)
        await parts.keyring.refresh()
        install(parts, await parts.snapshots.prepare(settings, parts.base))
        parts.closing = stack.pop_all()
    return parts


async def _opened(settings: Settings, home: Home, base: Path, stack: AsyncExitStack) -> Parts:
    """Everything that ends on `stack`, the ledger last."""
    ledger = await _ledger(settings, home)
    stack.push_async_callback(ledger.aclose)
    database = Database.open(home.database)
    stack.callback(database.close)
    http = _client(settings)
    stack.push_async_callback(http.aclose)
    current, metrics = Current(), Metrics()
    keyring = KeyringService(current, database, Keys(database))
    observers = _observers(settings, metrics, stack)
    handles = Handles(home.state_secret(), lambda: parts.settings.sessions.question)
    parking = Parking(ledger, lambda: parts.settings.sessions.question)
    on = (home, database, http, ledger, current, keyring, metrics)
    made = wired(ground := Ground(settings, lambda: parts.settings, base, *on))
    stack.push_async_callback(made.aclose)
    chain_of = _Chains(ledger, parking, handles, observers, made.broker, Awaited(current))
    listens = made.listens = Listens(current, Attendance(Bulletin()), resolve, handles)
    services = Services(http, ledger, home.folder)
    snapshots = made.snapshots = _snapshots(ground, made, listens, services, chain_of)
    observers.append(snapshots)
    stack.push_async_callback(snapshots.aclose)
    stack.push_async_callback(parking.aclose)  # while its upstreams can still be told
    opened = (current, ledger, database, snapshots, keyring, http, metrics, parking, listens)
    parts = Parts(settings, home, base, *opened, made)
    metrics.state = lambda: gauges(parts)
    made.opened = parts.sessions.opened
    stack.push_async_callback(parts.jobs.aclose)
    return parts


async def _ledger(settings: Settings, home: Home) -> Log:
    return await open_log(
        home.ledger,
        home.installation(),
        home.signing_key(),
        Commitments(home.commitment_secret()),
        settings.ledger.durability,
    )


def _snapshots(
    ground: Ground, parts: Wired, listens: Listens, services: Services, chain_of: Chain
) -> Snapshots:
    """What builds snapshots, and the operations that look into them."""
    database, ledger = ground.database, ground.home.ledger
    keys, requests, shipped = Keys(database), AccessRequests(database), skills.builtin()
    operations = Operations(keys, ground.keyring, requests)
    operations.acting = parts.acting
    invitations = Invitations(lambda: parts.consents)

    def local(new: Settings) -> Local:
        made = Local(shipped, operations, requests, listens, ledger, new)
        made.invitations, made.ready = invitations, parts.ready
        return made

    made = operations.snapshots = Snapshots(
        ground.current,
        Review(Pins(database)),
        local,
        own.definitions(shipped, list(OPERATIONS)),
        services,
        chain_of,
        listens.attendance,
    )
    made.shows, made.views = parts.shows, parts.views
    return made


def install(parts: Parts, prepared: Prepared) -> None:
    """Puts a configuration in force: edges, chain and snapshot in one step.

    Raises ConfigError, where a part cannot take it: then the one before stays in force.
    """
    settings = prepared.settings
    for taken in parts.wired.installed:
        taken(settings)
    tokens = parts.wired.tokens(settings, _expecting(parts, settings))
    parts.settings = settings
    parts.listens.most = settings.streams.listens
    parts.listens.each = settings.streams.listens_each
    parts.sessions.settings = settings.sessions
    parts.http.held = settings.streams.result_buffer
    parts.front = _front(parts, settings, tokens)
    parts.snapshots.commit(prepared)


def application(parts: Parts) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """MCP as bare ASGI, everything else through Starlette."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        front, path = parts.edges, scope["path"]
        edge = front.endpoint if path == "/mcp" or path.startswith("/servers/") else front.rest
        try:
            await edge(scope, receive, send)
        except asyncio.CancelledError:
            if not parts.draining:
                raise
            await _stopped(send)

    return serve


async def _stopped(send: Send) -> None:
    """What is cancelled because the gateway ends is told so, unless its answer has begun."""
    body = jsonrpc.encode({"error": "the gateway is stopping: call again"})
    with contextlib.suppress(RuntimeError):
        await asgi.respond(send, 503, body, [asgi.JSON, (b"retry-after", b"1")])


def server_config(parts: Parts) -> uvicorn.Config:
    """How the HTTP server listens. Raises ConfigError for a certificate that cannot be used."""
    host, port = parts.settings.gateway.address
    network = parts.settings.network
    config = uvicorn.Config(
        application(parts),
        host=host,
        port=port,
        http=http1.protocol(),
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(network.trusted_proxies),
        forwarded_allow_ips=network.trusted_proxies,
        ssl_certfile=network.tls.certificate if network.tls else None,
        ssl_keyfile=network.tls.key if network.tls else None,
    )
    try:
        config.load()
    except OSError as error:
        raise ConfigError(f"network.tls: {error}") from None
    return config


def _front(parts: Parts, settings: Settings, tokens: Tokens | None) -> Front:
    gateway = settings.gateway
    origins = Origins(settings.public, gateway.listen, gateway.hosts, gateway.origins)
    authenticator = BearerAuthenticator(
        parts.current,
        settings.public,
        tokens,
        _anonymous(settings),
        scopes=scopes_at(settings),
    )
    if parts.front:  # who failed before goes on having failed
        authenticator.failures = parts.front.authenticator.failures
    traced = bool(settings.telemetry.otlp_endpoint)
    endpoint = McpEndpoint(
        parts.current,
        authenticator,
        answer,
        origins,
        Kept(parts.sessions, parts.parking, Listening(parts.listens, parts.standing)),
        Terms(gateway.contact, settings.identity.ttl_ms, traced=traced),
    )
    endpoint.pulse = Pulse(settings.streams.keep_alive)
    admin = AdminEdge(parts.current, authenticator, answer, origins, gateway.contact)
    listed = registry.routes(settings, parts.current, authenticator, origins)
    rest = _rest(parts, settings, [*admin.routes(), *listed], origins)
    return Front(authenticator, endpoint, rest, tokens)


def _rest(
    parts: Parts, settings: Settings, governed: Sequence[Route], origins: Origins
) -> Starlette:
    """What is no MCP."""
    known = WellKnown(settings, origins, lambda: troubles(parts), parts.metrics.text)
    more = [route for made in parts.wired.routes for route in made(settings)]
    rest = Starlette(
        routes=[*known.routes(), *governed, *more],
        exception_handlers={HTTPException: in_json},
    )
    rest.router.redirect_slashes = False
    return rest


def _expecting(parts: Parts, settings: Settings) -> AccessTokens | None:
    """What verifies tokens now. The keys of another issuer are fetched from here on."""
    identity = settings.identity
    if not identity.issuer:
        parts.wired.issuer = None
        parts.jobs.stop(FOLLOWED)
        return None
    issuer = parts.wired.issuer
    if issuer is None or not issuer.serves(identity):
        issuer = parts.wired.issuer = Issuer(identity, parts.http)
        parts.jobs.start(FOLLOWED, issuer.jwks.follow)
    tokens = issuer.expecting(identity, settings.gateway.tenant)
    tokens.seen = parts.wired.seen(settings)
    return tokens


def _client(settings: Settings) -> HttpClient:
    section = settings.network
    network = Network(
        proxy=section.proxy,
        ca=tuple(section.ca),
        certificate=section.client.certificate if section.client else "",
        key=section.client.key if section.client else "",
        private=tuple(section.private_upstreams),
        loopback=settings.gateway.loopback,
    )
    try:
        return HttpClient(network)
    except (ValueError, OSError) as error:
        raise ConfigError(f"network: {error}") from None


def _anonymous(settings: Settings) -> Principal | None:
    if not settings.identity.anonymous:
        return None
    roles = frozenset({"anonymous"})
    return Principal("anonymous", "anonymous", settings.gateway.tenant, roles=roles)


def _observers(settings: Settings, metrics: Metrics, stack: AsyncExitStack) -> list[ports.Observer]:
    if not settings.telemetry.otlp_endpoint:
        return [metrics]
    # Imported here: the exporter costs memory that a gateway without spans does not spend.
    from mcp_gateway.telemetry.spans import Spans  # noqa: PLC0415

    spans = Spans(settings.telemetry.otlp_endpoint)
    stack.push_async_callback(spans.aclose)
    return [metrics, spans]
