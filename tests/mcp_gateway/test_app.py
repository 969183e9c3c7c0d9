import asyncio
from collections.abc import AsyncIterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway import app
from mcp_gateway.config import ConfigError, Settings, validated
from mcp_gateway.core.body import Body
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import Forbidden
from mcp_gateway.home import Home
from mcp_gateway.ledger import files, reader
from mcp_gateway.parts import Front, close
from mcp_gateway.services import siblings
from tests.support import calls
from tests.support.fakes import FakeParked
from tests.support.gateway import GatewayUnderTest, gateway_under_test

Message = MutableMapping[str, Any]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "var")
    made.prepare()
    return made


def ends(home: Home) -> list[str]:
    """How each log of the ledger ended; empty for one that is still open."""
    return [files.read_text(log / files.END).partition(" ")[0] for log in files.logs(home.ledger)]


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"servers": {"a": {"connector": "pigeon"}}}, "no connector 'pigeon'"),
        ({"policy": {"rules": ["none.csv"]}}, "none.csv"),
        ({"network": {"ca": ["none.pem"]}}, "network: none.pem"),
        ({"network": {"proxy": "ftp://proxy"}}, "network: the proxy is not"),
    ],
)
async def test_a_start_that_fails_leaves_nothing_open(
    home: Home, sections: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        await app.build(validated(sections), home)

    assert ends(home) == ["closed"]
    parts = await app.build(Settings(), home)
    await close(parts)
    assert ends(home) == ["closed", "closed"]


async def test_a_certificate_that_cannot_be_shown_is_said_in_words(home: Home) -> None:
    tls = {"certificate": "none.pem", "key": "none.key"}
    parts = await app.build(validated({"network": {"tls": tls}}), home)
    with pytest.raises(ConfigError, match=r"network\.tls: "):
        app.server_config(parts)
    await close(parts)


@pytest.mark.requirement("operations:no-namesakes")
async def test_beside_a_namesake_nothing_is_even_opened(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> None:
        raise ConfigError("the package skills is not the gateway's")

    monkeypatch.setattr(siblings, "check", found)
    with pytest.raises(ConfigError, match="the package skills"):
        await app.build(Settings(), home)

    assert list(home.folder.iterdir()) == []


async def test_rules_are_looked_for_beside_the_configuration(home: Home, tmp_path: Path) -> None:
    elsewhere = tmp_path / "etc"
    elsewhere.mkdir()
    (elsewhere / "own.csv").write_text("p, 1, all, *, *, */*/*, *, , allow,\n")
    settings = validated({"policy": {"rules": ["own.csv"]}})
    with pytest.raises(ConfigError, match=r"own\.csv"):
        await app.build(settings, home)

    parts = await app.build(settings, home, elsewhere)
    await close(parts)


@pytest.mark.requirement("reload:one-world")
async def test_a_call_is_answered_by_the_chain_that_it_picked_up() -> None:
    async def chain(call: Call) -> Body:
        return Body(call.id.encode())

    assert (await app.answer(calls.call(snapshot=calls.snapshot(chain=chain)))).raw == b"c-1"
    with pytest.raises(Forbidden, match="nothing answers tools/call"):
        await app.answer(calls.call())


@pytest.mark.requirement("parks:expire")
async def test_what_waits_for_an_answer_ends_with_the_gateway_and_is_recorded(home: Home) -> None:
    parts = await app.build(Settings(), home)
    parked = FakeParked()
    parts.parking.keep(calls.resolved(), parked)

    await close(parts)

    expired = [line for line in reader.entries(home.ledger) if line["kind"] == "expired"]
    assert parked.abandoned == 1
    assert [(line["call"], line["reason"]) for line in expired] == [("c-1", "stopped")]
    assert ends(home) == ["closed"]


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayUnderTest]:
    config = '[servers.away]\nconnector = "mcp_http"\nurl = "http://127.0.0.1:9/mcp"\n'
    async with gateway_under_test(tmp_path_factory.mktemp("app"), config) as running:
        yield running


class Edge:
    """An edge that waits; it may have begun to answer."""

    def __init__(self, *, begun: bool = False) -> None:
        self.begun = begun
        self.entered = asyncio.Event()

    async def __call__(self, _: Any, __: Any, send: Any) -> None:
        if self.begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        self.entered.set()
        await asyncio.Event().wait()


class Sent(list[Message]):
    """What went out; nothing may begin twice, as uvicorn has it."""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self:
            raise RuntimeError("an answer begins once")
        self.append(message)


async def cancelled(gateway: GatewayUnderTest, edge: Edge, sent: Sent) -> asyncio.Task[None]:
    """A request that was cancelled while it was being answered."""
    parts = gateway.parts
    front = Front(parts.authenticator, edge, parts.edges.rest, None)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parts, "front", front)
        serve = app.application(parts)

        async def nothing() -> Message:
            return {}

        task = asyncio.ensure_future(serve({"type": "http", "path": "/mcp"}, nothing, sent))
        await edge.entered.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return task


@pytest.mark.requirement("operations:what-is-left-is-cancelled")
async def test_who_is_cut_off_by_the_end_is_told_so(
    gateway: GatewayUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.parts, "draining", True)
    sent, begun = Sent(), Sent()
    task = await cancelled(gateway, Edge(), sent)
    await cancelled(gateway, Edge(begun=True), begun)

    assert not task.cancelled()
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"1") in sent[0]["headers"]
    assert b"the gateway is stopping" in sent[1]["body"]
    assert len(begun) == 1


async def test_a_request_that_is_cancelled_for_another_reason_stays_cancelled(
    gateway: GatewayUnderTest,
) -> None:
    sent = Sent()

    assert (await cancelled(gateway, Edge(), sent)).cancelled()
    assert sent == []


async def test_before_a_configuration_is_in_force_there_are_no_edges(
    gateway: GatewayUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.parts, "front", None)
    with pytest.raises(RuntimeError, match="no configuration is in force"):
        _ = gateway.parts.authenticator


@pytest.mark.requirement("edge:sessions-are-bounded")
async def test_new_bounds_of_sessions_hold_for_those_that_are_open(
    gateway: GatewayUnderTest,
) -> None:
    parts, before = gateway.parts, gateway.parts.settings
    begin = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    async with gateway.http("alice") as http:
        answer = await http.post("/mcp", json=begin)
        session = {"mcp-session-id": answer.headers["mcp-session-id"]}
        found = await http.post("/mcp", json=ping, headers=session)
        short = before.sessions.model_copy(update={"age": 1e-6})
        await gateway.take(before.model_copy(update={"sessions": short}))
        gone = await http.post("/mcp", json=ping, headers=session)
        await gateway.take(before)

    assert (found.status_code, gone.status_code) == (200, 404)
    assert gone.json() == {"error": "Session not found"}
    assert parts.sessions.settings == before.sessions
