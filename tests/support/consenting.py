"""An upstream whose people consent at a real authorization server, and the gateway's side of it."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from mcp_gateway.oauth.ports import Brought, GrantOptions
from mcp_gateway.oauth.upstream.discovery import Discovery
from mcp_gateway.services.connecting import Connecting, Reached
from mcp_gateway.services.registrations import Registrations
from mcp_gateway.store.begun import Begun
from mcp_gateway.store.database import Database
from mcp_gateway.store.registrations import RegistrationRows
from mcp_gateway.wire.http import HttpClient, Network
from tests.support.certificates import Authority
from tests.support.oauth_fakes import FreeLeases, MemorySecrets
from tests.support.oidc_provider import Provider, openid_provider
from tests.support.publisher import Publisher, publisher
from tests.support.tcp import plain

PUBLIC: Final = "https://gateway.example.com"
CALLBACK: Final = f"{PUBLIC}/connect/callback"
PRM: Final = "/.well-known/oauth-protected-resource/mcp"
AS: Final = "/.well-known/oauth-authorization-server"
STATE: Final = "s" * 43
READING: Final = frozenset({"orders:read"})
REGISTERS: Final = {"registration": {"enabled": True}}
CLIENT: Final = {
    "client_id": "the gateway",
    "client_secret": "a secret: of 100%",
    "grant_types": ["authorization_code", "refresh_token"],
    "redirect_uris": [CALLBACK],
    "response_types": ["code"],
}
CONFIGURED: Final = GrantOptions(
    client="the gateway", client_secret=lambda: str(CLIENT["client_secret"])
)


@dataclass
class World:
    """An upstream, and the gateway's side of it. `reached` may change."""

    upstream: Publisher
    http: HttpClient
    database: Database
    secrets: MemorySecrets = field(default_factory=MemorySecrets)
    reached: dict[str, Reached] = field(default_factory=dict)
    now: float = field(default_factory=time.time)

    @property
    def resource(self) -> str:
        return f"{self.upstream.url}/mcp"

    def connecting(self) -> Connecting:
        """As each process, and each start of one, makes it."""
        registrations = Registrations(
            RegistrationRows(self.database), self.secrets, FreeLeases(), self.http, lambda: PUBLIC
        )
        return Connecting(
            self.reached.__getitem__,
            b"k" * 32,
            Begun(self.database),
            registrations,
            Discovery(self.http),
            self.http,
            lambda: self.now,
        )

    def trusts(self, issuer: str, *, challenge: str = "") -> None:
        """The upstream names this issuer, in its document and where it turns strangers away."""
        document = {"resource": self.resource, "authorization_servers": [issuer]}
        self.upstream.publish(PRM, document)
        said = f'www-authenticate: Bearer resource_metadata="{self.upstream.url}{PRM}"{challenge}'
        self.upstream.pages["/mcp"] = plain(b"", said.encode(), status=b"401 Unauthorized")

    async def begun(self, scopes: frozenset[str] = READING) -> dict[str, str]:
        """What the server is asked."""
        url = await self.connecting().begin("up", scopes, STATE, CALLBACK)
        return dict(parse_qsl(urlsplit(url).query))

    async def connected(self, provider: Provider, scopes: frozenset[str] = READING) -> Brought:
        """All of a consent, with a person who agrees."""
        url = await self.connecting().begin("up", scopes, STATE, CALLBACK)
        query = await provider.agreed(url, "alice")
        return await self.connecting().finish("up", STATE, query, CALLBACK)


@asynccontextmanager
async def world(folder: Path, authority: str = "") -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        up = await stack.enter_async_context(publisher())
        http = HttpClient(Network(loopback=True, ca=(authority,) if authority else ()))
        stack.push_async_callback(http.aclose)
        database = Database.open(folder / "gateway.db")
        stack.callback(database.close)
        found = World(up, http, database)
        found.reached["up"] = Reached(found.resource, GrantOptions(), probe="POST")
        yield found


@asynccontextmanager
async def trusting(
    folder: Path,
    options: GrantOptions | None = None,
    authority: Authority | None = None,
    **provider: Any,
) -> AsyncIterator[tuple[World, Provider]]:
    """The same with a real provider, which the upstream trusts."""
    authority = authority or Authority(folder)
    async with (
        openid_provider(folder, authority, **provider) as oidc,
        world(folder, authority.certificate) as here,
    ):
        here.trusts(oidc.url)
        here.reached["up"] = replace(here.reached["up"], options=options or GrantOptions())
        yield here, oidc
