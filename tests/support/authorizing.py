"""The authorization server's services on a real store, with a ledger in memory."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp_gateway.config import Settings, validated
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import ApiKey, Current, Keyring
from mcp_gateway.limits.bucket import Rate
from mcp_gateway.oauth.ports import Person
from mcp_gateway.oauth.server.rfc6749 import Parameters
from mcp_gateway.services.authorization.assertions import Assertions
from mcp_gateway.services.authorization.clients import Clients
from mcp_gateway.services.authorization.documents import Documents
from mcp_gateway.services.authorization.families import Families
from mcp_gateway.services.authorization.minting import Minting
from mcp_gateway.services.authorization.requests import Requests
from mcp_gateway.services.authorization.signing import Signing
from mcp_gateway.services.authorization.tokens import Tokens
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.services.people import KnownPeople
from mcp_gateway.store import clients as client_rows
from mcp_gateway.store import families as family_rows
from mcp_gateway.store.authorization import Authorizations
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import Keys, digest_of
from mcp_gateway.store.people import PersonRows
from mcp_gateway.store.revocations import Revocations
from mcp_gateway.store.signing import SigningKeys
from mcp_gateway.wire.http import HttpClient, Network
from tests.support.fakes import FakeLedger
from tests.support.oauth_fakes import FreeLeases, MemorySecrets

PUBLIC = "http://127.0.0.1:8080"
REDIRECT = "http://127.0.0.1:7777/callback"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
BROWSER = "b" * 43
NOW = 1_700_000_000.0
DIGEST = digest_of("mcpgw_0a1b_the-key")
ADA = Principal("local", "ada", "acme", client="key:0a1b", roles=frozenset({"user"}))
KEY = ApiKey("0a1b", ADA, created=1_600_000_000)
ADA_THERE = Person(f"key:{DIGEST.hex()}", ADA, KEY.names, 0, "ada")
SECTION: dict[str, Any] = {
    "enabled": True,
    "registration_each": "6000/minute",
    "clients": {"ci": {"secret": {"env": "CI_SECRET"}, "roles": ["bot"], "scopes": ["mcp"]}},
}
SERVERS = {"pay": {"connector": "mcp_http", "url": "https://x.example/", "requires": ["pay:write"]}}


@dataclass
class Server:
    """Everything at one moment; `now` moves as a test says."""

    database: Database
    http: HttpClient
    ledger: FakeLedger = field(default_factory=FakeLedger)
    current: Current = field(default_factory=Current)
    now: float = NOW
    settings: Settings = field(
        default_factory=lambda: validated({"authorization": SECTION, "servers": SERVERS})
    )

    def __post_init__(self) -> None:
        at, told = self._at, self._told
        revocations = Revocations(self.database)
        rows, authorizations = client_rows.Clients(self.database), Authorizations(self.database, at)
        documents = Documents(rows, self.http, self.ledger, list, at)
        self.keyring = KeyringService(self.current, self.database, Keys(self.database))
        self.signing = Signing(
            SigningKeys(self.database), MemorySecrets(), FreeLeases(), self.ledger, at
        )
        self.people = KnownPeople(PersonRows(self.database), self.current, at)
        self.clients = Clients(
            rows, documents, revocations, self.ledger, self.current, lambda: PUBLIC, at
        )
        kept = family_rows.Families(self.database, at)
        self.families = Families(
            kept, authorizations, revocations, self.keyring, self.ledger, told, at
        )
        self.requests = Requests(authorizations, self.clients, self.ledger, told, at)
        self.minting = Minting(self.signing, self.ledger, self.current, self.keyring.look, told, at)
        assertions = Assertions(revocations, self.http, self.ledger, told, at)
        self.tokens = Tokens(
            self.clients, rows, self.families, self.people, assertions, self.minting, told
        )

    def _at(self) -> float:
        return self.now

    def _told(self) -> Settings:
        return self.settings

    async def registered(self, **changes: Any) -> str:
        """The id of a client that registered itself."""
        said = {
            "redirect_uris": [REDIRECT],
            "client_name": "A runtime",
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none",
        }
        rate = Rate.parse(self.settings.authorization.registration_each)
        answer = await self.clients.register(said | changes, "peer", rate, [])
        return str(answer["client_id"])

    async def waiting(self, client: str, **changes: str) -> str:
        """The id of a request of a client's that waits for the person."""
        where = await self.requests.begin(asked(client, **changes), BROWSER, "peer")
        assert where.startswith(f"{PUBLIC}/oauth/consent?request="), where
        return where.rpartition("=")[2]

    async def coded(self, client: str, person: Person = ADA_THERE, **changes: str) -> str:
        """Where a browser is sent, once the person said yes."""
        return await self.requests.approve(await self.waiting(client, **changes), BROWSER, person)


def asked(client: str, **changes: str) -> Parameters:
    said = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": REDIRECT,
        "state": "s-1",
        "scope": "mcp offline_access",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return of(**said | changes)


def of(**said: str) -> Parameters:
    """The parameters of a request; what is empty is not sent."""
    return Parameters([(name, value) for name, value in said.items() if value])


async def server(folder: Path) -> Server:
    """One that has read its store, and knows the key of ada besides."""
    made = Server(Database.open(folder / "gateway.db"), HttpClient(Network(loopback=True)))
    await made.keyring.refresh()
    made.current.swap_keyring(Keyring({DIGEST: KEY}))
    return made
