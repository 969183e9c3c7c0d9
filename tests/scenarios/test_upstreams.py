"""Upstreams that end, come back, or stand where the gateway may not go."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError

from mcp_gateway import app
from mcp_gateway.config import load
from mcp_gateway.home import Home
from mcp_gateway.parts import Parts, close
from tests.connectors.http import Asked, error, raw_upstream, result
from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.tcp import Server, answering, plain, tcp_server
from tests.support.waiting import BOUND, until

CONFIG = """
[policy]
rules = ["builtin:first-run"]

@SERVERS@

[servers.broken]
connector = "mcp_stdio"
command = ["@PYTHON@", "-c", "import os, sys; sys.exit('no way in with ' + os.environ['TOKEN'])"]
environment = ["TOKEN"]
"""


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayUnderTest]:
    os.environ["TOKEN"] = "s3cr3t-t0k3n"
    try:
        async with gateway_under_test(tmp_path_factory.mktemp("upstreams"), CONFIG) as running:
            await running.serving("orders", "time", "everything")
            yield running
    finally:
        del os.environ["TOKEN"]


def _child_of(gateway: GatewayUnderTest, server: str) -> int:
    """The process that serves a server, from what the system says."""
    folder = str(gateway.parts.home.folder / "servers" / server)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if str((entry / "cwd").readlink()) == folder:
                return int(entry.name)
        except OSError:
            continue
    raise AssertionError(f"{server} has no process")


@pytest.mark.parametrize(
    ("server", "tool", "arguments"),
    [
        ("orders", "orders__list_orders", {}),
        ("time", "time__echo", {"text": "again"}),
        ("everything", "everything__echo", {"text": "again"}),
    ],
)
@pytest.mark.requirement("upstreams:a-dead-one-fails-its-calls")
async def test_a_child_that_is_killed_is_recorded_and_serves_again(
    gateway: GatewayUnderTest, server: str, tool: str, arguments: dict[str, Any]
) -> None:
    killed = _child_of(gateway, server)
    os.kill(killed, signal.SIGKILL)

    def ended() -> list[Any]:
        lines = [line for line in gateway.entries() if line["kind"] == "child.ended"]
        return [line for line in lines if line["server"] == server]

    await until(ended)
    assert ended()[0]["end"] == "was ended by SIGKILL"
    async with gateway.as_("alice") as client, asyncio.timeout(20):
        while not await _answers(client, tool, arguments):
            await asyncio.sleep(0.1)
    assert _child_of(gateway, server) != killed


@pytest.mark.requirement("children:last-words")
async def test_why_a_child_does_not_start_is_for_administrators_and_never_its_secrets(
    gateway: GatewayUnderTest,
) -> None:
    async with gateway.http("admin") as http, asyncio.timeout(BOUND):
        servers = await _servers(http)
        while "ended with exit code 1" not in servers["broken"]["trouble"]:  # its first start
            await asyncio.sleep(0.05)
            servers = await _servers(http)
        ready = await http.get("/readyz")

    assert servers["broken"]["detail"] == "no way in with [hidden]"
    assert "no way in" not in ready.text
    assert "s3cr3t" not in str(servers) + ready.text + str(gateway.entries())


async def _servers(http: httpx2.AsyncClient) -> dict[str, Any]:
    return {each["name"]: each for each in (await http.get("/admin/servers")).json()}


async def _answers(client: Client, tool: str, arguments: dict[str, Any]) -> bool:
    """Whether a tool answers; while its server is away it is an unknown name."""
    try:
        return not (await client.call_tool(tool, arguments)).is_error
    except MCPError:
        return False


REFUSING = """
[policy]
rules = ["builtin:first-run"]

[servers.everything]
connector = "mcp_http"
url = "@URL@"
grant = { kind = "static", secret = { file = "@FILE@" } }
"""


@pytest.mark.requirement("exchange:one-renewal")
@pytest.mark.requirement("upstreams:no-credential-is-told")
async def test_an_upstream_that_refuses_the_old_and_the_new_credential_is_shown_no_more(
    tmp_path: Path,
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cr3t-0ld", "utf-8")

    def say(asked: Asked) -> bytes:
        if asked.method == "tools/list":
            return result(asked, {"tools": [{"name": "a", "inputSchema": {"type": "object"}}]})
        if asked.method != "tools/call":
            return error(asked, -32601)
        secret.write_text("s3cr3t-n3w", "utf-8")
        return plain(b"", status=b"401 Unauthorized")

    async with raw_upstream(say) as upstream:
        config = REFUSING.replace("@URL@", upstream.url).replace("@FILE@", str(secret))
        async with gateway_under_test(tmp_path, config) as gateway:
            await gateway.serving("everything")
            async with gateway.as_("alice") as client:
                refused = await client.call_tool("everything__a", {})
            outcome = gateway.outcomes()[-1]

    shown = [asked.head["authorization"] for asked in upstream.of("tools/call")]
    assert shown == ["Bearer s3cr3t-0ld", "Bearer s3cr3t-n3w"]
    assert refused.is_error
    assert "refuses the gateway's credential" in refused.content[0].text  # type: ignore[union-attr]
    assert (outcome["outcome"], outcome["attempts"]) == ("upstream_failed", 2)
    assert "s3cr3t" not in str(gateway.entries()) + str(refused)


@asynccontextmanager
async def _served(folder: Path, listen: str, url: str, private: list[str]) -> AsyncIterator[Parts]:
    """The gateway but for its own socket, with one upstream."""
    home = Home(folder)
    home.prepare()
    home.config.write_text(
        f'[gateway]\nlisten = "{listen}"\n[network]\nprivate_upstreams = {private}\n'
        f'[servers.up]\nconnector = "openapi"\nurl = "{url}"\ndocument = "builtin:orders"\n',
        "utf-8",
    )
    parts = await app.build(load(home.config, {}), home)
    try:
        await until(lambda: parts.snapshots.running["up"].trouble != "it has not answered yet")
        yield parts
    finally:
        await close(parts)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
@pytest.mark.requirement("http:private-addresses-are-refused")
async def test_an_upstream_at_an_address_that_is_not_public_is_refused_unless_it_is_listed(
    tmp_path: Path, host: str
) -> None:
    async with answering(plain(b"", status=b"404 Not Found")) as server:
        url = f"http://{host}:{server.port}"
        async with _served(tmp_path / "a", "0.0.0.0:8080", url, []) as refused:
            trouble = refused.snapshots.running["up"].trouble
            snapshot = refused.current.of("default")
        assert server.opened == 0
        listed = ["127.0.0.0/8", "::1/128", "::ffff:0:0/96"]
        async with _served(tmp_path / "b", "0.0.0.0:8080", url, listed) as allowed:
            assert allowed.snapshots.running["up"].trouble == ""

    assert "is not a public address; list its block in [network] private_upstreams" in trouble
    assert snapshot is not None
    assert not [key for key in snapshot.catalog if key[1].startswith("up__")]


@pytest.mark.parametrize(
    "host",
    ["10.0.0.1", "169.254.169.254", "[fd00::1]", "[fe80::1]", "[64:ff9b::a00:1]", "[2002:a00:1::]"],
)
@pytest.mark.requirement("http:private-addresses-are-refused")
async def test_on_a_developers_machine_only_this_machine_is_reached_besides_the_public(
    tmp_path: Path, host: str
) -> None:
    async with _served(tmp_path, "127.0.0.1:8080", f"http://{host}:1/", []) as parts:
        trouble = parts.snapshots.running["up"].trouble

    assert "is not a public address" in trouble


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "127.0.0.1."])
@pytest.mark.requirement("http:private-addresses-are-refused")
async def test_an_address_in_a_form_of_its_own_is_refused_even_where_it_may_be_reached(
    tmp_path: Path, host: str
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with tcp_server(serve) as server:
        assert isinstance(server, Server)
        url = f"http://{host}:{server.port}/"
        async with _served(tmp_path, "127.0.0.1:8080", url, ["127.0.0.0/8"]) as parts:
            trouble = parts.snapshots.running["up"].trouble

    assert "an address in no usual form" in trouble
    assert server.opened == 0
