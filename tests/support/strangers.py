"""Strangers who are clients: a site on the web with their documents, and what meets them."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp_gateway.core.snapshot import Current
from mcp_gateway.services.authorization.clients import Clients
from mcp_gateway.services.authorization.documents import Documents
from mcp_gateway.store import clients as store
from mcp_gateway.store.database import Database
from mcp_gateway.store.revocations import Revocations
from mcp_gateway.wire.http import HttpClient, Network
from tests.support.certificates import Authority
from tests.support.connect_proxy import connect_proxy
from tests.support.fakes import FakeLedger
from tests.support.publisher import Publisher, publisher
from tests.support.tcp import plain

HOST = "app.example.com"
PATH = "/oauth/client.json"
ID = f"https://{HOST}{PATH}"
PUBLIC = "https://gateway.example.com"
JSON = b"content-type: application/json"


def document(client: str = ID, **members: Any) -> dict[str, Any]:
    """What a sound document says; a member of None is left out."""
    said = {
        "client_id": client,
        "client_name": "App",
        "redirect_uris": ["http://127.0.0.1/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
        **members,
    }
    return {name: value for name, value in said.items() if value is not None}


def page(said: Any, *headers: bytes, status: bytes = b"200 OK", media: bytes = JSON) -> bytes:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return plain(body, media, *headers, status=status)


@dataclass
class Site:
    """`https://app.example.com`, and the client that gets there: by a proxy, since 443 is taken."""

    web: Publisher
    network: Network
    http: HttpClient


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Site]:
    authority = Authority(folder)
    async with publisher(tls=authority.server(HOST)) as web:
        port = int(web.url.rpartition(":")[2])
        async with connect_proxy({HOST: port}) as proxy:
            network = Network(proxy=f"http://127.0.0.1:{proxy.port}", ca=(authority.certificate,))
            http = HttpClient(network)
            try:
                yield Site(web, network, http)
            finally:
                await http.aclose()


@dataclass
class Meeting:
    """What meets strangers, on a real store, at a time that a test sets."""

    database: Database
    http: HttpClient
    now: float = 1_000_000.0
    private: Sequence[str] = ()
    ledger: FakeLedger = field(default_factory=FakeLedger)
    current: Current = field(default_factory=Current)
    kept: store.Clients = field(init=False)
    documents: Documents = field(init=False)
    clients: Clients = field(init=False)

    def __post_init__(self) -> None:
        self.kept = store.Clients(self.database, self.clock)
        self.documents, self.clients = self.another()

    def clock(self) -> float:
        return self.now

    def another(self) -> tuple[Documents, Clients]:
        """The services of another process on the same store."""
        documents = Documents(self.kept, self.http, self.ledger, lambda: self.private, self.clock)
        clients = Clients(
            self.kept,
            documents,
            Revocations(self.database),
            self.ledger,
            self.current,
            lambda: PUBLIC,
            self.clock,
        )
        return documents, clients
