"""GatewayUnderTest: the whole gateway in this process, on a free port, with real upstreams."""

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from mcp_gateway import app, lifecycle
from mcp_gateway.config import Settings, load
from mcp_gateway.core.principal import Principal
from mcp_gateway.home import Home
from mcp_gateway.ledger import reader
from mcp_gateway.parts import Parts, close
from mcp_gateway.store.keys import LOCAL, Keys

TENANT = "default"
BOUND = 20.0
LISTEN = "subscriptions/listen"
SERVERS = """
[servers.orders]
connector = "openapi"
url = "http://127.0.0.1:{port}"
document = "builtin:orders"
command = ["@PYTHON@", "-m", "connectors.samples.orders", "{port}"]

[servers.time]
connector = "mcp_stdio"
command = ["@PYTHON@", "@EXAMPLE@"]

[servers.everything]
connector = "mcp_http"
url = "http://127.0.0.1:{port}/mcp"
command = ["@PYTHON@", "@EXAMPLE@", "{port}"]
"""
"""What a configuration gets for `@SERVERS@`: an upstream of each kind."""
EXAMPLE = Path(__file__).parent / "example_server.py"


@dataclass
class GatewayUnderTest:
    """A running gateway; `keys` holds the text of the key of each subject."""

    parts: Parts
    url: str
    keys: dict[str, str] = field(default_factory=dict)

    def key(self, subject: str, *roles: str, **fields: Any) -> str:
        """The text of a new key."""
        principal = Principal(LOCAL, subject, TENANT, roles=frozenset(roles), **fields)
        text = Keys(self.parts.database).create(principal, int(time.time()))[1]
        self.keys[subject] = text
        return text

    def http(self, subject: str) -> httpx2.AsyncClient:
        headers = {"authorization": f"Bearer {self.keys[subject]}"}
        return httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=BOUND)

    @asynccontextmanager
    async def as_(
        self, subject: str, mode: str = "auto", path: str = "/mcp", **options: Any
    ) -> AsyncIterator[Client]:
        """The SDK's own client, of either era."""
        async with self.http(subject) as http:
            transport = streamable_http_client(self.url + path, http_client=http)
            async with Client(transport, mode=mode, **options) as client:
                yield client

    async def take(self, settings: Settings) -> None:
        """Puts another configuration in force, or has it refused."""
        await lifecycle.Configurations(self.parts, self.parts.home.config, {}).take(settings)

    def entries(self) -> list[reader.Line]:
        return list(reader.entries(self.parts.home.ledger))

    def outcomes(self, *, listens: bool = False) -> list[reader.Line]:
        """Of calls, or of the listens that are open beside them and end when they like."""
        ended = [line for line in self.entries() if line["kind"] == "outcome"]
        return [line for line in ended if (line["method"] == LISTEN) == listens]

    async def serving(self, *servers: str) -> None:
        """Waits, within a bound, until these upstreams are served."""
        async with asyncio.timeout(BOUND):
            while any(self.parts.snapshots.running[name].trouble for name in servers):
                await asyncio.sleep(0.02)


@asynccontextmanager
async def gateway_under_test(
    folder: Path, config: str, port: int = 0
) -> AsyncIterator[GatewayUnderTest]:
    """Starts the gateway with a configuration, and ends it and its children."""
    port = port or free_port()
    home = Home(folder / "var")
    home.prepare()
    text = config.replace("@SERVERS@", SERVERS).replace("@PYTHON@", sys.executable)
    text = text.replace("@EXAMPLE@", str(EXAMPLE)).replace("@PORT@", str(port))
    home.config.write_text(f'[gateway]\nlisten = "127.0.0.1:{port}"\n{text}', "utf-8")
    settings: Settings = load(home.config, {})
    parts = await app.build(settings, home)
    server = Quiet(app.server_config(parts))
    lifecycle.begin(parts)
    serving = asyncio.get_running_loop().create_task(server.serve())
    gateway = GatewayUnderTest(parts, f"http://127.0.0.1:{port}")
    gateway.key("admin", "admin", "user")
    gateway.key("alice", "user")
    gateway.key("stranger")
    await parts.keyring.refresh()
    try:
        async with asyncio.timeout(BOUND):
            while not server.started:
                await asyncio.sleep(0.01)
        yield gateway
    finally:
        server.should_exit = True
        await serving
        await close(parts)


class Quiet(uvicorn.Server):
    """Leaves the signals of the test process alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
