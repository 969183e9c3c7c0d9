"""What people connect with, on a real store: for tests of the services and the pages."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp_gateway.config import Server
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Current
from mcp_gateway.services.connections import Connections, Kept
from mcp_gateway.services.consenting import Consenting
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import Keys
from tests.support.fakes import FakeLedger
from tests.support.oauth_fakes import FakeConnecting, MemorySecrets

PUBLIC = "http://127.0.0.1:8080"
ALICE = Principal("local", "alice", "default")
ALICE_THERE = Principal("local", "alice", "default", client="key:1", roles=frozenset({"user"}))
BOB_THERE = Principal("local", "bob", "default", client="key:2", roles=frozenset({"user"}))
DOCS = {"connector": "mcp_http", "url": "https://docs.example/mcp", "grant": {"kind": "delegated"}}
KEYED = {
    "connector": "mcp_http",
    "url": "https://keyed.example/mcp",
    "grant": {"kind": "static", "per_user": True},
}
SHARED = {"connector": "mcp_http", "url": "https://shared.example/mcp"}


@dataclass
class Bench:
    """The services, and everything that they were told."""

    database: Database
    ledger: FakeLedger = field(default_factory=FakeLedger)
    secrets: MemorySecrets = field(default_factory=MemorySecrets)
    client: FakeConnecting = field(default_factory=FakeConnecting)
    current: Current = field(default_factory=Current)
    anonymous: bool = False
    now: float = 1_000_000.0
    connections: Connections = field(init=False)
    consenting: Consenting = field(init=False)
    servers: dict[str, Server] = field(init=False)

    def __post_init__(self) -> None:
        sections: dict[str, Any] = {"docs": DOCS, "keyed": KEYED, "shared": SHARED}
        self.servers = {name: Server.model_validate(each) for name, each in sections.items()}
        keyring = KeyringService(self.current, self.database, Keys(self.database))
        kept = Kept(
            self.database,
            self.ledger,
            keyring,
            lambda: self.secrets,
            lambda: self.client,
            lambda: PUBLIC,
        )
        self.connections = Connections(kept, lambda: self.now)
        self.consenting = Consenting(
            self.connections,
            lambda: self.servers,
            lambda: self.client,
            lambda: self.anonymous,
        )

    async def ticket(
        self,
        server: str = "docs",
        principal: Principal = ALICE,
        scopes: frozenset[str] = frozenset(),
    ) -> str:
        """The secret of a new link."""
        return (await self.connections.link(principal, server, scopes, "c-1")).rpartition("/")[2]


def bench(folder: Path) -> Bench:
    return Bench(Database.open(folder / "gateway.db"))
