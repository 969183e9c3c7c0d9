"""The composition root: knows everything, decides nothing."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

import skills
from connectors import Services
from local_models.guards import GUARDS
from local_models.guards.profiles import Profile, built_in
from mcp_gateway.config import ConfigError, GuardSection, Settings
from mcp_gateway.core import ports
from mcp_gateway.core.call import Next
from mcp_gateway.core.entry import Entry
from mcp_gateway.core.errors import Refusal
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Current
from mcp_gateway.edge.admin import AdminEdge
from mcp_gateway.edge.asgi import Receive, Scope, Send
from mcp_gateway.edge.bearer import BearerAuthenticator
from mcp_gateway.edge.joined import JoinedProtocol
from mcp_gateway.edge.mcp import McpEndpoint
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.sessions import Sessions
from mcp_gateway.edge.wellknown import WellKnown, in_json
from mcp_gateway.home import Home
from mcp_gateway.ledger.append import Log
from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.ledger.folder import open_log
from mcp_gateway.limits.memory import MemoryLimiter
from mcp_gateway.oauth.broker import Broker
from mcp_gateway.oauth.documents import Documents
from mcp_gateway.oauth.rfc7517 import Jwks
from mcp_gateway.oauth.rfc9068 import AccessTokens, Expected
from mcp_gateway.pipeline import compose
from mcp_gateway.services import own
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.services.local import Local
from mcp_gateway.services.operations import OPERATIONS, Operations
from mcp_gateway.services.review import Review
from mcp_gateway.services.snapshots import Snapshots
from mcp_gateway.stages.approve import Approve
from mcp_gateway.stages.authorize import Authorize
from mcp_gateway.stages.exchange import Exchange
from mcp_gateway.stages.forward import Forward
from mcp_gateway.stages.guard import Guard
from mcp_gateway.stages.limit import Limit
from mcp_gateway.stages.record import Record
from mcp_gateway.stages.resolve import Resolve
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import Keys
from mcp_gateway.store.pins import AccessRequests, Pins
from mcp_gateway.telemetry.metrics import Metrics
from mcp_gateway.wire.http import HttpClient, Network
from policies import PolicyError

log = logging.getLogger(__name__)
MINUTE: Final = 60.0


@dataclass(slots=True)
class Parts:
    """What the gateway is made of, for whoever starts, reloads and ends it."""

    settings: Settings
    home: Home
    current: Current
    log: Log
    database: Database
    snapshots: Snapshots
    keyring: KeyringService
    authenticator: BearerAuthenticator
    broker: Broker
    http: HttpClient
    metrics: Metrics
    answer: Next
    jwks: Jwks | None = None
    tokens: AccessTokens | None = None
    draining: bool = False
    rejected: str = ""


def chain(  # the ports of the stages
    ledger: ports.Ledger,
    observers: list[ports.Observer],
    limiter: ports.Limiter,
    profiles: Mapping[str, Profile],
    broker: ports.Broker,
) -> Next:
    """The stages, in the one order in which every call passes them."""
    return compose(
        [
            Record(ledger, observers),
            Resolve(),
            Authorize(),
            Limit(limiter),
            Guard(profiles),
            Approve(),
            Exchange(broker),
            Forward(ledger),
        ]
    )


async def build(settings: Settings, home: Home) -> Parts:
    """Opens everything, and puts the first snapshot in force. Raises ConfigError, PolicyError."""
    database = Database.open(home.database)
    keys, requests = Keys(database), AccessRequests(database)
    ledger = await open_log(
        home.ledger,
        home.installation(),
        home.signing_key(),
        Commitments(home.commitment_secret()),
        settings.ledger.durability,
    )
    current, metrics = Current(), Metrics()
    keyring = KeyringService(current, database, keys)
    operations = Operations(keys, keyring, requests)
    shipped = skills.builtin()
    local = Local(shipped, operations, requests, home.ledger, settings.gateway.contact)
    profiles = _profiles(settings)
    http = HttpClient(_network(settings))
    broker = Broker(_secrets(settings))
    services = Services(http, ledger, home.folder)
    snapshots = Snapshots(
        current,
        Review(Pins(database)),
        local,
        own.definitions(shipped, list(OPERATIONS)),
        services,
        list(profiles),
    )
    operations.snapshots = snapshots
    tokens, jwks = _tokens(settings, http)
    observers: list[ports.Observer] = [metrics]
    if settings.telemetry.otlp_endpoint:
        observers.append(_spans(settings.telemetry.otlp_endpoint))
    parts = Parts(
        settings=settings,
        home=home,
        current=current,
        log=ledger,
        database=database,
        snapshots=snapshots,
        keyring=keyring,
        authenticator=BearerAuthenticator(
            current, settings.gateway.public, tokens, _anonymous(settings)
        ),
        broker=broker,
        http=http,
        metrics=metrics,
        answer=chain(ledger, observers, MemoryLimiter(settings.limits), profiles, broker),
        jwks=jwks,
        tokens=tokens,
    )
    try:
        await keyring.refresh()
        await snapshots.apply(settings, home.folder)
    except BaseException:
        await close(parts)
        raise
    return parts


def asgi(parts: Parts) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The application: MCP as bare ASGI, everything else through Starlette."""
    gateway = parts.settings.gateway
    origins = Origins(gateway.public, gateway.listen, gateway.hosts, gateway.origins)
    contact = gateway.contact
    endpoint = McpEndpoint(
        parts.current, parts.authenticator, parts.answer, origins, contact, Sessions()
    )
    admin = AdminEdge(parts.current, parts.authenticator, parts.answer, origins, contact)
    known = WellKnown(
        gateway.public,
        parts.settings.identity.issuer,
        origins,
        lambda: troubles(parts),
        parts.metrics.text,
    )
    rest = Starlette(
        routes=[*known.routes(), *admin.routes()], exception_handlers={HTTPException: in_json}
    )
    rest.router.redirect_slashes = False

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and (path == "/mcp" or path.startswith("/servers/")):
            await endpoint(scope, receive, send)
        else:
            await rest(scope, receive, send)

    return application


def troubles(parts: Parts) -> Mapping[str, str]:
    """What is wrong, by name. Names that begin with "server " cost that server's tools only."""
    found: dict[str, str] = {}
    if parts.draining:
        found["draining"] = "the gateway is stopping"
    if not parts.log.healthy:
        found["ledger"] = parts.log.trouble or "the disk does not keep up"
    if parts.tokens is not None and not parts.tokens.ready:
        found["issuer"] = "its keys could not be fetched yet"
    if parts.rejected:
        found["server configuration"] = parts.rejected
    for name, running in parts.snapshots.running.items():
        if running.trouble:
            found[f"server {name}"] = running.trouble
    return found


async def reload(parts: Parts, settings: Settings) -> None:
    """Takes the servers and the policy of a new configuration; a bad one changes nothing."""
    try:
        await parts.snapshots.apply(settings, parts.home.folder)
    except (ConfigError, PolicyError) as error:
        await refuse(parts, str(error))
        return
    parts.rejected = ""
    parts.broker.swap(_secrets(settings))
    snapshot = parts.current.of(settings.gateway.tenant)
    body = {"snapshot": snapshot.digest if snapshot else ""}
    await parts.log.append(Entry("configuration.applied", body=body))


async def refuse(parts: Parts, reason: str) -> None:
    """A configuration that cannot be taken: said in the log, the ledger and readiness."""
    parts.rejected = reason
    log.warning("the new configuration is refused, the old one stays: %s", reason)
    await parts.log.append(Entry("configuration.refused", body={"reason": reason[:2000]}))


async def background(parts: Parts) -> None:
    """What goes on beside the calls, until cancelled."""
    async with asyncio.TaskGroup() as group:
        group.create_task(parts.keyring.follow())
        group.create_task(_checkpoints(parts))
        group.create_task(_failures(parts))
        if parts.jwks:
            group.create_task(parts.jwks.follow())


async def close(parts: Parts) -> None:
    """Ends what `build` opened, the ledger last."""
    await parts.snapshots.aclose()
    await parts.http.aclose()
    await parts.log.aclose()
    parts.database.close()


def server(parts: Parts) -> uvicorn.Server:
    """The HTTP server, not running yet."""
    host, port = parts.settings.gateway.address
    tls = parts.settings.network.tls
    config = uvicorn.Config(
        asgi(parts),
        host=host,
        port=port,
        http=JoinedProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(parts.settings.network.trusted_proxies),
        forwarded_allow_ips=parts.settings.network.trusted_proxies,
        timeout_graceful_shutdown=int(parts.settings.gateway.drain),
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
    )
    return uvicorn.Server(config)


async def _checkpoints(parts: Parts) -> None:
    while True:
        await asyncio.sleep(parts.settings.ledger.checkpoint_every)
        await asyncio.to_thread(parts.log.checkpoint)


async def _failures(parts: Parts) -> None:
    """Failed authentication, in sum, once a minute."""
    while True:
        await asyncio.sleep(MINUTE)
        await record_failures(parts)


async def record_failures(parts: Parts) -> None:
    """One entry for all that failed since the last one; none when nothing did."""
    failures = parts.authenticator.failures
    if count := failures.take():
        try:
            await parts.log.append(Entry("authentication.failed", body={"count": count}))
        except Refusal as refusal:
            failures.put_back(count)
            log.warning("%d failed attempts could not be recorded yet: %s", count, refusal)


def _profiles(settings: Settings) -> Mapping[str, Profile]:
    rules = GUARDS["rules"]()
    own_profiles = {name: _profile(name, s, rules) for name, s in settings.guards.items()}
    return {**built_in(rules), **own_profiles}


def _profile(name: str, section: GuardSection, rules: ports.Guard) -> Profile:
    actions: dict[tuple[ports.Channel, str], str] = {
        ("arguments", label): action for label, action in section.arguments.items()
    }
    actions |= {("result", label): action for label, action in section.result.items()}
    return Profile(name, (rules,), actions, section.timeout, section.on_error)  # type: ignore[arg-type]


def _network(settings: Settings) -> Network:
    section = settings.network
    return Network(
        proxy=section.proxy,
        ca=tuple(section.ca),
        certificate=section.client.certificate if section.client else "",
        key=section.client.key if section.client else "",
        private=tuple(section.private_upstreams),
        loopback=settings.gateway.loopback,
    )


def _secrets(settings: Settings) -> dict[str, Callable[[], str]]:
    return {
        name: server.grant.secret.read
        for name, server in settings.servers.items()
        if server.grant.secret
    }


def _tokens(settings: Settings, http: HttpClient) -> tuple[AccessTokens | None, Jwks | None]:
    identity = settings.identity
    if not identity.issuer:
        return None, None
    tokens = AccessTokens(
        Expected(
            identity.issuer,
            identity.audience,
            settings.gateway.tenant,
            identity.algorithms,
            identity.max_token_lifetime,
            identity.roles_claim,
            identity.tenant_claim,
        )
    )
    documents = Documents(identity.issuer, http)
    jwks = Jwks(identity.issuer, identity.jwks, tokens.swap, documents)
    tokens.wanted = jwks.want
    return tokens, jwks


def _anonymous(settings: Settings) -> Principal | None:
    if not settings.identity.anonymous:
        return None
    roles = frozenset({"anonymous"})
    return Principal("anonymous", "anonymous", settings.gateway.tenant, roles=roles)


def _spans(endpoint: str) -> ports.Observer:
    # Imported here: the exporter costs memory that a gateway without spans does not spend.
    from mcp_gateway.telemetry.spans import Spans  # noqa: PLC0415

    return Spans(endpoint)
