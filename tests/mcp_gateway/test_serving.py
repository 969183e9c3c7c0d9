import asyncio
import resource
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from mcp_gateway import app
from mcp_gateway.config import ConfigError, validated
from mcp_gateway.home import Home
from mcp_gateway.parts import Parts, close
from mcp_gateway.serving import Server, more_files
from tests.support.certificates import Authority
from tests.support.gateway import free_port
from tests.support.listener import listening

BOUND = 5.0
RULES = "p, 1, listens, role:anonymous, *, subscription/gateway/*, *, , allow,"


class Running:
    """A server in this process; signals are given to it by hand."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.listening = asyncio.Event()
        self.server = Server(parts, self._listens)
        self.url = f"http://{parts.settings.gateway.listen}"

    async def _listens(self) -> None:
        self.listening.set()

    async def begun(self) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self.server.serve_until_told())
        async with asyncio.timeout(BOUND):
            await self.listening.wait()
        return task


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    home = Home(tmp_path / "var")
    home.prepare()
    listen = f"127.0.0.1:{free_port()}"
    (home.folder / "rules.csv").write_text(RULES)
    settings = validated(
        {
            "gateway": {"listen": listen, "notice": 0.3, "drain": 1.2},
            "identity": {"anonymous": True},
            "policy": {"rules": ["rules.csv"]},
        }
    )
    parts = await app.build(settings, home)
    yield Running(parts)
    await close(parts)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.remove_signal_handler(number)


async def get(running: Running, path: str) -> int:
    async with httpx2.AsyncClient() as http:
        return (await http.get(f"{running.url}{path}")).status_code


@pytest.mark.requirement("operations:graceful-drain")
async def test_the_first_signal_is_seen_before_listening_ends(running: Running) -> None:
    task = await running.begun()
    before = await get(running, "/readyz")
    running.server.leave(signal.SIGTERM)
    during = await get(running, "/readyz")
    async with asyncio.timeout(BOUND):
        await task
    with pytest.raises(httpx2.ConnectError):
        await get(running, "/healthz")

    assert (before, during) == (200, 503)
    assert running.server.config.timeout_graceful_shutdown == 2


@pytest.mark.requirement("listens:end-when-the-gateway-stops")
async def test_a_listen_ends_at_once_and_with_its_result_when_the_gateway_stops(
    running: Running,
) -> None:
    task = await running.begun()
    async with (
        httpx2.AsyncClient(base_url=running.url, timeout=BOUND) as http,
        listening(http, {"toolsListChanged": True}, id_="mine") as listen,
    ):
        acknowledged = await listen.frame()
        begun = asyncio.get_running_loop().time()
        running.server.leave(signal.SIGINT)
        (result,) = await listen.rest()
        taken = asyncio.get_running_loop().time() - begun
        async with asyncio.timeout(BOUND):
            await task

    assert acknowledged["params"]["notifications"] == {"toolsListChanged": True}
    assert (result["id"], result["result"]["resultType"]) == ("mine", "complete")
    assert taken < running.parts.settings.gateway.drain / 2


async def test_a_key_that_was_pressed_needs_no_notice(running: Running) -> None:
    task = await running.begun()
    begun = asyncio.get_running_loop().time()
    running.server.leave(signal.SIGINT)
    async with asyncio.timeout(BOUND):
        while not running.server.should_exit:
            await asyncio.sleep(0)
        noticed = asyncio.get_running_loop().time() - begun
        await task

    assert noticed < 0.25


@pytest.mark.requirement("operations:what-is-left-is-cancelled")
async def test_what_is_left_is_cancelled_once(running: Running) -> None:
    cancelled, entered = list[int](), asyncio.Event()

    async def call() -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            # What records it takes a moment, in which nothing may cut it short.
            await asyncio.sleep(0.2)
            current = asyncio.current_task()
            assert current is not None
            cancelled.append(current.cancelling())

    task = await running.begun()
    left = asyncio.get_running_loop().create_task(call())
    running.server.server_state.tasks.add(left)
    left.add_done_callback(running.server.server_state.tasks.discard)
    await entered.wait()
    for _ in range(3):
        running.server.leave(signal.SIGTERM)
    async with asyncio.timeout(BOUND):
        await task

    assert left.done()
    assert cancelled == [1]


@pytest.mark.requirement("operations:graceful-drain")
async def test_whoever_listens_in_a_session_is_let_go_at_once(running: Running) -> None:
    task = await running.begun()
    loop = asyncio.get_running_loop()
    accept = {"accept": "application/json, text/event-stream"}
    async with httpx2.AsyncClient(base_url=running.url, headers=accept, timeout=BOUND) as http:
        params = {"protocolVersion": "2025-11-25", "capabilities": {}}
        first = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
        session = (await http.post("/mcp", json=first)).headers["mcp-session-id"]
        async with http.stream("GET", "/mcp", headers={"mcp-session-id": session}) as listening:
            pieces = listening.aiter_raw()
            await anext(pieces)
            begun = loop.time()
            running.server.leave(signal.SIGINT)
            left = [piece async for piece in pieces]
        async with asyncio.timeout(BOUND):
            await task

    assert left == []
    assert loop.time() - begun < 1.0, "the drain is not waited for"


async def test_without_tls_there_is_no_certificate_to_renew(running: Running) -> None:
    running.server.renew_certificate()

    assert running.server.config.ssl is None


async def test_a_certificate_without_its_file_is_refused_and_the_live_one_stays(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path / "var")
    home.prepare()
    pair = Authority(tmp_path).issue("127.0.0.1")
    tls = {"certificate": pair.certificate, "key": pair.key}
    settings = validated({"network": {"tls": tls}})
    parts = await app.build(settings, home)
    running = Running(parts)
    running.server.renew_certificate()
    Path(pair.certificate).unlink()
    with pytest.raises(ConfigError, match=r"network\.tls: .*127\.0\.0\.1\.pem"):
        running.server.renew_certificate()
    await close(parts)


@pytest.mark.requirement("edge:connections-are-bounded")
def test_as_many_files_may_be_open_as_the_system_allows() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = min(256, before[1])
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (low, before[1]))
        more_files(low + 1)
        raised = resource.getrlimit(resource.RLIMIT_NOFILE)
        more_files(low)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == raised == (low + 1, before[1])
        more_files(2**40)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
