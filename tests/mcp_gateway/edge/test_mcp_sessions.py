"""The initialize era: sessions belong to whoever began them; and what runtimes send in them."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import ApiKey, Keyring
from mcp_gateway.edge.request import CANCELLED
from mcp_gateway.store.keys import digest_of
from mcp_gateway.wire import legacy
from tests.support.asgi import Answered, Exchange
from tests.support.calls import ALICE
from tests.support.edge import BOB, INITIALIZE, KEYS, EdgeUnderTest, bearer, message

ADD = {"name": "github__add", "arguments": {"a": 1}}


def _in(session: bytes, version: bytes = b"-") -> list[tuple[bytes, bytes]]:
    return [(b"mcp-session-id", session), (b"mcp-protocol-version", version)]


def _missing(answered: Answered) -> bool:
    return (answered.status, answered.json()) == (404, {"error": "Session not found"})


@pytest.mark.requirement("edge:versions")
@pytest.mark.parametrize("revision", legacy.REVISIONS)
async def test_initialize_begins_a_session_of_the_revision_that_was_asked_for(
    revision: str,
) -> None:
    answered = await EdgeUnderTest().legacy(
        "initialize", {**INITIALIZE, "protocolVersion": revision}
    )

    assert answered.status == 200
    assert answered.json()["result"]["protocolVersion"] == revision
    assert len(answered.header(b"mcp-session-id")) >= 32


@pytest.mark.requirement("edge:sessions-are-bound")
async def test_no_two_sessions_have_one_id() -> None:
    edge = EdgeUnderTest()

    assert len({await edge.session() for _ in range(50)}) == 50


@pytest.mark.requirement("edge:runtimes")
async def test_a_runtime_that_never_says_its_version_is_served() -> None:
    """As the Gemini CLI does."""
    edge = EdgeUnderTest()
    session = await edge.session()
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}

    said = await edge.ask(note, headers=_in(session))
    listed = await edge.legacy("tools/list", session=session)
    ping = await edge.legacy("ping", session=session)

    assert (said.status, said.body) == (202, b"")
    assert (listed.status, edge.calls[0].method) == (200, "tools/list")
    assert ping.json() == {"jsonrpc": "2.0", "id": 1, "result": {}}


@pytest.mark.requirement("edge:runtimes")
async def test_a_runtime_that_looks_around_by_get_and_leaves_by_delete_is_served() -> None:
    """As Codex and Qwen do."""
    edge = EdgeUnderTest()
    looked = await edge.ask(b"", method="GET", headers=[(b"mcp-protocol-version", b"2024-11-05")])
    begun = await edge.legacy("initialize", {**INITIALIZE, "protocolVersion": "2025-06-18"})
    session = begun.header(b"mcp-session-id")
    listening = edge.exchange(b"", method="GET", headers=_in(session, b"2025-06-18"))
    heard = asyncio.get_running_loop().create_task(listening.run(edge.app))
    await listening.said.wait()
    left = await edge.ask(b"", method="DELETE", headers=_in(session, b"2025-06-18"))

    answered = await heard
    assert (looked.status, answered.status, answered.body) == (405, 200, b":\n\n")
    assert (left.status, left.body) == (204, b"")
    assert _missing(await edge.legacy("ping", session=session))


@pytest.mark.requirement("edge:runtimes")
async def test_cancelling_what_has_ended_does_nothing() -> None:
    """As OpenCode does after every call."""
    edge = EdgeUnderTest()
    session = await edge.session()

    for round_ in range(3):
        done = await edge.ask(message("tools/call", ADD, round_), headers=_in(session))
        said = await _cancel(edge, session, round_)
        assert (done.status, said.status) == (200, 202)
        assert "result" in done.json()

    assert len(edge.calls) == 3


@pytest.mark.requirement("edge:sessions-are-bound")
@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_the_session_of_another_principal_is_like_none(method: str) -> None:
    edge = EdgeUnderTest()
    session = await edge.session(ALICE)

    answered = await edge.ask(
        message("tools/call", ADD), method=method, headers=_in(session), principal=BOB
    )

    assert _missing(answered)
    assert edge.calls == []
    assert (await edge.legacy("ping", session=session)).status == 200


@pytest.mark.requirement("edge:sessions-are-bound")
@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://login.example.com"},
        {"subject": "bob"},
        {"client": "another"},
        {"actor": "agent"},
        {"mode": "autonomous"},
    ],
)
async def test_who_is_another_in_any_way_has_no_part_in_it(changed: dict[str, Any]) -> None:
    edge = EdgeUnderTest()
    session = await edge.session()
    other: Principal = replace(ALICE, **changed)
    keys = {digest_of(b"mcpgw_o_other"): ApiKey("o", other)}
    edge.current.swap_keyring(Keyring({**edge.current.keyring.keys, **keys}))

    answered = await edge.ask(
        message("ping"), headers=[*_in(session), bearer(b"mcpgw_o_other")], principal=None
    )

    assert _missing(answered)


@pytest.mark.requirement("edge:sessions-are-bound")
async def test_a_session_is_of_one_endpoint() -> None:
    edge = EdgeUnderTest()
    session = await edge.session(path="/servers/github/mcp")

    assert _missing(await edge.legacy("ping", session=session))
    assert _missing(await edge.legacy("ping", session=session, path="/servers/orders/mcp"))
    here = await edge.legacy("ping", session=session, path="/servers/github/mcp")
    assert here.status == 200


@pytest.mark.requirement("edge:sessions-are-bound")
@pytest.mark.parametrize("id_", [b"chosen-by-an-attacker", b"", b"\xff\xfe", b"a" * 10_000])
async def test_an_id_that_a_caller_chose_becomes_no_session(id_: bytes) -> None:
    edge = EdgeUnderTest()

    begun = await edge.ask(message("initialize", INITIALIZE), headers=_in(id_))
    used = await edge.legacy("ping", session=id_ or b"x")

    assert _missing(begun)
    assert _missing(used)
    assert begun.all(b"mcp-session-id") == []


@pytest.mark.requirement("edge:sessions-are-bound")
async def test_a_session_does_not_outlive_the_key_that_began_it() -> None:
    edge = EdgeUnderTest()
    session = await edge.session()
    left = {k: v for k, v in edge.current.keyring.keys.items() if v.principal != ALICE}
    edge.current.swap_keyring(Keyring(left))

    answered = await edge.legacy("tools/call", ADD, session=session)

    assert (answered.status, edge.calls) == (401, [])
    assert answered.header(b"www-authenticate") == b'Bearer error="invalid_token"'


async def test_without_a_session_a_request_still_has_its_answer() -> None:
    edge = EdgeUnderTest()

    answered = await edge.legacy("tools/call", ADD)

    assert (answered.status, len(edge.calls)) == (200, 1)
    assert "resultType" not in answered.json()["result"]


@pytest.mark.parametrize("method", ["server/discover", "tasks/list", "nothing/like-this"])
async def test_what_the_era_does_not_know_is_an_error_with_status_200(method: str) -> None:
    answered = await EdgeUnderTest().legacy(method)

    assert (answered.status, answered.json()["error"]["code"]) == (200, -32601)


async def test_what_only_the_later_era_knows_is_taken_out_and_nothing_else() -> None:
    edge = EdgeUnderTest()
    edge.result = Body(
        b'{"tools":[{"name":"x","ttlMs":5}],"resultType":"complete","ttlMs":0,'
        b'"cacheScope":"private","vendor":{"a":1.0}}'
    )

    answered = await edge.legacy("tools/list")

    assert answered.body.endswith(
        b'"result":{"tools":[{"name":"x","ttlMs":5}],"vendor":{"a":1.0}}}'
    )


async def test_a_resource_that_is_not_there_has_the_code_of_its_era() -> None:
    edge = EdgeUnderTest()
    edge.result = Body(b'{"code":-32602,"message":"not found"}', failed=True)

    earlier = await edge.legacy("resources/read", {"uri": "note://x"})
    edge.result = Body(b'{"code":-32002,"message":"not found"}', failed=True)
    later = await edge.modern("resources/read", {"uri": "note://x"})

    assert (earlier.status, earlier.json()["error"]["code"]) == (200, -32002)
    assert (later.status, later.json()["error"]["code"]) == (400, -32602)


@pytest.mark.parametrize(
    "error", [b'{"code":"E1","message":"m"}', b'{"message":"m"}', b'{"code":true,"message":"m"}']
)
async def test_an_error_without_a_number_is_an_internal_one(error: bytes) -> None:
    edge = EdgeUnderTest()
    edge.result = Body(error, failed=True)

    assert (await edge.legacy("tools/list")).json()["error"] == {"code": -32603, "message": "m"}


class Running:
    """A chain that waits until it is let go or cancelled."""

    def __init__(self, edge: EdgeUnderTest) -> None:
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.ended: list[str] = []
        self._edge = edge
        edge.chain = self._chain

    async def _chain(self, call: Call) -> Result:
        assert call in self._edge.calls
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        self.ended.append("done")
        return self._edge.result


async def _cancel(edge: EdgeUnderTest, session: bytes, id_: Any, **said: Any) -> Answered:
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id_}}
    return await edge.ask(note, headers=_in(session), **said)


def _begin(edge: EdgeUnderTest, session: bytes, id_: Any) -> asyncio.Task[Answered]:
    exchange: Exchange = edge.exchange(message("tools/call", ADD, id_), headers=_in(session))
    return asyncio.get_running_loop().create_task(exchange.run(edge.app))


@pytest.mark.requirement("edge:cancelled-is-answered")
@pytest.mark.parametrize("id_", [0, 7, -1, "seven", 'q"uote', ""])
async def test_a_request_that_is_cancelled_ends_and_is_answered(id_: Any) -> None:
    edge = EdgeUnderTest()
    session, running = await edge.session(), Running(edge)
    task = _begin(edge, session, id_)
    await running.begun.wait()

    said = await _cancel(edge, session, id_)
    answered = await task

    assert (said.status, running.ended) == (202, ["cancelled"])
    assert (answered.status, answered.json()["id"]) == (200, id_)
    assert answered.json()["error"]["code"] == CANCELLED


@pytest.mark.requirement("edge:cancelled-is-answered")
@pytest.mark.parametrize("other", [8, "7", 7.0, None, True, [7], {"id": 7}, ["7"]])
async def test_only_the_very_id_is_cancelled(other: Any) -> None:
    edge = EdgeUnderTest()
    session, running = await edge.session(), Running(edge)
    task = _begin(edge, session, 7)
    await running.begun.wait()

    said = await _cancel(edge, session, other)
    running.go.set()
    answered = await task

    assert (said.status, running.ended) == (202, ["done"])
    assert "result" in answered.json()


@pytest.mark.requirement("edge:sessions-are-bound")
async def test_nobody_cancels_in_the_session_of_another() -> None:
    edge = EdgeUnderTest()
    session, running = await edge.session(), Running(edge)
    task = _begin(edge, session, 7)
    await running.begun.wait()

    by_bob = await _cancel(edge, session, 7, principal=BOB)
    elsewhere = await _cancel(edge, await edge.session(), 7)
    without = await edge.ask(
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
    )
    running.go.set()
    answered = await task

    assert (by_bob.status, elsewhere.status, without.status) == (404, 202, 202)
    assert "result" in answered.json()


async def test_an_id_that_runs_cannot_be_used_again_in_its_session() -> None:
    edge = EdgeUnderTest()
    session, running = await edge.session(), Running(edge)
    first = _begin(edge, session, 7)
    await running.begun.wait()

    again = await edge.ask(message("tools/call", ADD, 7), headers=_in(session))
    elsewhere = _begin(edge, await edge.session(), 7)
    running.go.set()

    assert (again.status, again.json()["error"]["code"]) == (200, -32600)
    assert "result" in (await first).json()
    assert "result" in (await elsewhere).json()
    assert "result" in (await edge.ask(message("tools/call", ADD, 7), headers=_in(session))).json()


@pytest.mark.requirement("edge:cancelled-is-answered")
async def test_the_end_of_a_session_cancels_what_runs_in_it() -> None:
    edge = EdgeUnderTest()
    session, running = await edge.session(), Running(edge)
    task = _begin(edge, session, 7)
    await running.begun.wait()

    ended = await edge.ask(b"", method="DELETE", headers=_in(session))
    answered = await task

    assert (ended.status, running.ended) == (204, ["cancelled"])
    assert answered.json()["error"]["code"] == CANCELLED


async def test_a_server_that_stops_a_request_is_not_answered_for() -> None:
    edge = EdgeUnderTest()
    session, running = await edge.session(), Running(edge)
    task = _begin(edge, session, 7)
    await running.begun.wait()

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert running.ended == ["cancelled"]


@pytest.mark.requirement("edge:claims-are-bounded")
async def test_a_runtime_is_known_by_what_it_said_at_first() -> None:
    edge = EdgeUnderTest()
    session = await edge.session()

    await edge.legacy("tools/list", session=session)
    await edge.ask(message("tools/list"), headers=[(b"user-agent", b"curl/8 \x01\xff")])

    assert [call.client for call in edge.calls] == ["runtime/1", "curl/8 ÿ"]


async def test_the_key_of_a_principal_is_all_that_a_session_needs() -> None:
    edge = EdgeUnderTest()
    session = await edge.session(BOB)

    answered = await edge.ask(
        message("ping"), principal=None, headers=[bearer(KEYS[BOB]), *_in(session, b"2025-11-25")]
    )

    assert answered.status == 200
