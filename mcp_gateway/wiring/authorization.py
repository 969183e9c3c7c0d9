"""The authorization server: clients, requests, tokens, and what is published of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from joserfc.jwk import KeySet
from starlette.routing import Route

from mcp_gateway.config import ConfigError, Settings, WorkloadSection
from mcp_gateway.edge.authorization.answers import Answers
from mcp_gateway.edge.authorization.authorize import Authorize
from mcp_gateway.edge.authorization.lookups import LookupEndpoints
from mcp_gateway.edge.authorization.metadata import Metadata
from mcp_gateway.edge.authorization.register import Register
from mcp_gateway.edge.authorization.token import TokenEndpoint
from mcp_gateway.edge.failures import Failures
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.pages.consent import ConsentPage
from mcp_gateway.oauth.documents import DocumentError
from mcp_gateway.oauth.ports import Tokens as Verifying
from mcp_gateway.oauth.rfc9068 import AccessTokens, Expected
from mcp_gateway.oauth.server.rfc9068 import ALGORITHM
from mcp_gateway.oauth.tokens import Verifiers
from mcp_gateway.services.acts.clients import ClientActs
from mcp_gateway.services.authorization import offer
from mcp_gateway.services.authorization.assertions import Assertions
from mcp_gateway.services.authorization.client import Client, of_section
from mcp_gateway.services.authorization.clients import Clients
from mcp_gateway.services.authorization.documents import Documents
from mcp_gateway.services.authorization.families import Families
from mcp_gateway.services.authorization.lookups import Lookups
from mcp_gateway.services.authorization.minting import Minting
from mcp_gateway.services.authorization.pinned import pinned_documents
from mcp_gateway.services.authorization.requests import Requests
from mcp_gateway.services.authorization.signing import Signing
from mcp_gateway.services.authorization.tokens import Tokens
from mcp_gateway.store import clients as client_rows
from mcp_gateway.store import families as family_rows
from mcp_gateway.store.authorization import Authorizations
from mcp_gateway.store.revocations import Revocations
from mcp_gateway.store.signing import SigningKeys
from mcp_gateway.wire.http import HttpClient, Network
from mcp_gateway.wiring.ground import Ground, Wired

HOUR: Final = 3600.0


def wire(ground: Ground, wired: Wired) -> None:
    """Nothing but the acts upon its clients, unless it is enabled at the start."""
    wired.acting["clients"] = _acts(ground, lambda: ())
    if not ground.at_start.authorization.enabled:
        return
    strangers = _strangers(ground.at_start)
    made = _server(ground, wired, strangers)
    own = _Own(made.signing)
    wired.acting["clients"] = _acts(ground, made.clients.named)
    wired.tokens = own.tokens
    wired.routes.append(lambda settings: _routes(settings, wired, made))
    wired.installed.append(lambda settings: _install(made, settings, ground.base))
    wired.closing.append(strangers.aclose)
    wired.jobs["keys that sign tokens"] = made.signing.follow
    wired.jobs["refreshed tokens"] = made.families.follow
    wired.jobs["clients that nobody uses"] = made.clients.collect
    wired.jobs["log-ins that are over"] = made.families.forget


def _acts(ground: Ground, named: Callable[[], Sequence[Client]]) -> ClientActs:
    database = ground.database
    return ClientActs(client_rows.Clients(database), Revocations(database), ground.keyring, named)


@dataclass(frozen=True, slots=True)
class _Server:
    signing: Signing
    documents: Documents
    clients: Clients
    families: Families
    requests: Requests
    tokens: Tokens
    lookups: Lookups
    failures: Failures


def _server(ground: Ground, wired: Wired, strangers: HttpClient) -> _Server:
    secrets, leases, people = wired.secrets, wired.leases, wired.people
    if secrets is None or leases is None or people is None:
        raise RuntimeError("the vault and the log-ins are wired first")
    database, ledger, current = ground.database, ground.ledger, ground.current
    revocations, rows = Revocations(database), client_rows.Clients(database)
    authorizations, kept = Authorizations(database), family_rows.Families(database)
    signing = Signing(SigningKeys(database), secrets, leases, ledger)
    documents = Documents(
        rows, strangers, ledger, lambda: ground.settings().authorization.private_schemes
    )
    clients = Clients(
        rows, documents, revocations, ledger, current, lambda: ground.settings().public
    )
    families = Families(kept, authorizations, revocations, ground.keyring, ledger, ground.settings)
    assertions = Assertions(revocations, ground.http, ledger, ground.settings)
    minting = Minting(signing, ledger, current, ground.keyring.look, ground.settings)
    return _Server(
        signing,
        documents,
        clients,
        families,
        Requests(authorizations, clients, ledger, ground.settings),
        Tokens(clients, rows, families, people, assertions, minting, ground.settings),
        Lookups(clients, families, people, signing, current, ground.settings),
        Failures(),
    )


def _strangers(settings: Settings) -> HttpClient:
    """Reaches public addresses only, whatever upstreams may: strangers say where it goes."""
    section = settings.network
    network = Network(
        proxy=section.proxy,
        ca=tuple(section.ca),
        private=tuple(settings.authorization.private_documents),
        loopback=False,
    )
    try:
        return HttpClient(network)
    except (ValueError, OSError) as error:
        raise ConfigError(f"network: {error}") from None


def _install(made: _Server, settings: Settings, base: Path) -> None:
    """Raises ConfigError for keys or documents of clients that cannot be read."""
    section = settings.authorization
    programs = {name: _workload(name, program, base) for name, program in section.clients.items()}
    pinned = pinned_documents(settings, base)
    made.clients.swap(programs)
    made.documents.swap(pinned, fetching=section.documents == "fetch")


def _workload(name: str, section: WorkloadSection, base: Path) -> Client:
    try:
        jwks = (base / section.jwks).read_bytes() if section.jwks else b""
        return of_section(name, section, jwks)
    except (OSError, ValueError, DocumentError) as error:
        raise ConfigError(f"authorization.clients.{name}: {error}") from None


def _routes(settings: Settings, wired: Wired, made: _Server) -> Sequence[Route]:
    gateway, public = settings.gateway, settings.public
    origins = Origins(public, gateway.listen, gateway.hosts, gateway.origins)
    answers = Answers(origins, made.failures)
    parts = (
        Metadata(answers, lambda: offer.metadata(settings), made.signing.published),
        Authorize(answers, made.requests, lambda: public),
        TokenEndpoint(answers, made.tokens),
        Register(answers, made.clients, lambda: settings.authorization),
        LookupEndpoints(answers, made.lookups),
        ConsentPage(public, origins, made.requests, lambda: wired.browsers),
    )
    return [route for part in parts for route in part.routes()]


class _Own:
    """What verifies the gateway's own tokens, under each configuration."""

    def __init__(self, signing: Signing) -> None:
        self._keys: KeySet | None = None
        self._tokens: AccessTokens | None = None
        signing.tell(self._take)

    def tokens(self, settings: Settings, external: Verifying | None) -> Verifying:
        lasts = int(settings.authorization.access_token)
        own = AccessTokens(Expected(settings.public, "", "", [ALGORITHM], lasts, ours=True))
        if self._keys is not None:
            own.swap(self._keys)
        self._tokens = own
        return Verifiers(own, external) if isinstance(external, AccessTokens) else own

    def _take(self, keys: KeySet) -> None:
        self._keys = keys
        if self._tokens is not None:
            self._tokens.swap(keys)
