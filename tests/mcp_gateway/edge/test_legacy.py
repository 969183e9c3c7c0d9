"""What a session says once holds for each of its calls, and what it is told."""

import json
from typing import Any

import pytest

from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call
from mcp_gateway.edge import legacy as edge_legacy
from mcp_gateway.edge.legacy import declared
from tests.support.calls import ALICE
from tests.support.edge import EdgeUnderTest, message
from tests.support.legacy_client import ADD, DONE, ROOTS, LegacyClient, Rounds, asking


def _log(level: Any, name: str = "notifications/message") -> Body:
    return Body(json.dumps({"jsonrpc": "2.0", "method": name, "params": {"level": level}}).encode())


@pytest.mark.requirement("edge:levels-of-sessions")
@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("", ["debug", "warning", "emergency", "odd", None]),
        ("debug", ["debug", "warning", "emergency", "odd", None]),
        ("warning", ["warning", "emergency", "odd", None]),
        ("emergency", ["emergency", "odd", None]),
    ],
)
async def test_the_level_of_a_session_filters_what_it_hears_and_goes_with_its_calls(
    level: str, heard: list[Any]
) -> None:
    edge = EdgeUnderTest()
    client = await LegacyClient.begun(edge)

    async def chain(call: Call) -> Result:
        for said in ("debug", "warning", "emergency", "odd", None):
            await call.notify(_log(said))
        return DONE

    edge.chain = chain
    if level:
        assert (await client.ask("logging/setLevel", {"level": level}))["result"] == {}
    answered = await client.call().task

    assert [e["params"]["level"] for e in answered.events()[:-1]] == heard
    assert edge.calls[-1].declared
    assert edge.calls[-1].declared.level == level


@pytest.mark.requirement("edge:levels-of-sessions")
@pytest.mark.parametrize("params", [{}, {"level": "loud"}, {"level": 3}, {"level": ["debug"]}])
async def test_a_level_that_is_none_changes_nothing(params: dict[str, Any]) -> None:
    edge = EdgeUnderTest()
    client = await LegacyClient.begun(edge)

    refused = await client.ask("logging/setLevel", params)
    await client.call().answered()

    assert refused["error"]["code"] == -32602
    assert edge.calls[-1].declared
    assert edge.calls[-1].declared.level == ""


async def test_subscriptions_are_kept_with_the_session_and_told_to_whoever_feeds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(edge_legacy, "MOST_URIS", 2)
    edge = EdgeUnderTest()
    client = await LegacyClient.begun(edge)
    session = edge.sessions.find(client.session.decode(), ALICE, "")
    assert session
    seen: list[set[str]] = []
    session.altered = lambda: seen.append(set(session.uris))

    asked = [
        ("resources/subscribe", {"uri": "a://1"}),
        ("resources/subscribe", {"uri": "a://1"}),
        ("resources/subscribe", {"uri": "a://2"}),
        ("resources/subscribe", {"uri": "a://3"}),
        ("resources/unsubscribe", {"uri": "a://1"}),
        ("resources/unsubscribe", {"uri": "a://9"}),
        ("resources/subscribe", {}),
    ]
    said = [await client.ask(method, params) for method, params in asked]

    assert [answer.get("error", {}).get("code") for answer in said] == [
        None, None, None, -32602, None, None, -32602,
    ]  # fmt: skip
    assert seen == [{"a://1"}, {"a://1", "a://2"}, {"a://2"}]


async def test_a_subscription_needs_a_session_and_is_of_this_era() -> None:
    edge = EdgeUnderTest()

    without = await edge.legacy("resources/subscribe", {"uri": "a://1"})
    modern = [
        await edge.modern(method, {"uri": "a://1"}, path="/servers/github/mcp")
        for method in ("resources/subscribe", "resources/unsubscribe", "logging/setLevel")
    ]

    assert without.json()["error"]["code"] == -32600
    assert [(a.status, a.json()["error"]["code"]) for a in modern] == [(404, -32601)] * 3
    assert edge.calls == []


@pytest.mark.parametrize("method", ["tasks/get", "tasks/result", "tasks/list", "tasks/cancel"])
async def test_tasks_are_not_of_this_era(method: str) -> None:
    edge = EdgeUnderTest()

    answered = await edge.legacy(method, {"taskId": "x"}, path="/servers/github/mcp")

    assert (answered.status, answered.json()["error"]["code"]) == (200, -32601)
    assert edge.calls == []


async def test_a_task_that_was_asked_for_is_ignored_since_none_was_offered() -> None:
    edge = EdgeUnderTest()
    client = await LegacyClient.begun(edge)

    await client.call(params={**ADD, "task": {"ttl": 60_000}}).answered()

    assert edge.calls[0].params.view() == ADD


@pytest.mark.parametrize("type_", ["task", "io.example/other", None, 5])
async def test_a_result_that_the_era_cannot_say_is_an_error_that_says_so(type_: Any) -> None:
    edge = EdgeUnderTest()
    edge.result = Body(json.dumps({"resultType": type_, "taskId": "t"}).encode())

    answered = await edge.legacy("tools/call", ADD)

    error = answered.json()["error"]
    assert (answered.status, error["code"]) == (200, -32603)
    assert json.dumps(type_) in error["message"]


async def test_a_client_of_2024_11_05_is_served_from_its_first_word_to_its_last() -> None:
    edge = EdgeUnderTest()
    client = await LegacyClient.begun(edge, "2024-11-05", {"roots": {}, "sampling": {}})

    noted = await client.say("notifications/initialized", {})
    listed = await client.ask("tools/list", {})
    pinged = await client.ask("ping", {})
    called = await client.call().answered()
    left = await client.post(b"", method="DELETE").run(edge.app)

    assert (noted.status, left.status) == (202, 204)
    assert all("result" in answer for answer in (listed, pinged, called))
    assert [call.method for call in edge.calls] == ["tools/list", "tools/call"]


@pytest.mark.parametrize(
    ("params", "kept"),
    [
        (b"{}", b"{}"),
        (b'{"capabilities":null}', b"{}"),
        (b'{"capabilities":[1]}', b"{}"),
        (b'{"capabilities":{"roots": {"listChanged":true}}}', b'{"roots": {"listChanged":true}}'),
        (b'{"capabilities":{"x":"%b","sampling":{}}}' % (b"y" * 5000), b'{"sampling":{}}'),
        (b'{"capabilities":{"sampling":{"x":"%b"}}}' % (b"y" * 5000), b"{}"),
    ],
)
def test_what_a_session_keeps_of_its_capabilities_is_bounded(params: bytes, kept: bytes) -> None:
    assert declared(params) == kept


@pytest.mark.requirement("edge:runtimes")
async def test_the_tool_of_a_client_that_lost_its_session_is_told_to_begin_anew() -> None:
    """Claude Code and mcporter begin anew on these words, and call again."""
    edge = EdgeUnderTest()
    Rounds(edge, DONE)
    client = LegacyClient(edge, b"gone-with-a-restart")

    answered = await client.post(message("tools/call", ADD)).run(edge.app)

    assert (answered.status, answered.json()) == (404, {"error": "Session not found"})


@pytest.mark.requirement("edge:sessions-are-bounded")
async def test_clients_that_come_listen_call_are_asked_and_leave_leave_nothing_behind() -> None:
    edge = EdgeUnderTest()
    for _ in range(200):
        chain = Rounds(edge, asking(one=ROOTS), DONE)
        client = await LegacyClient.begun(edge)
        listening, called = client.get(), client.call()
        await client.answer((await called.asked())["id"], {"roots": []})
        await called.answered()
        await client.post(b"", method="DELETE").run(edge.app)
        await listening.task
        assert len(chain.calls) == 2

    sessions = edge.sessions
    assert (len(sessions), sessions._of, len(edge.parking)) == (0, {}, 0)
    assert (sessions._room.size, sessions._room._stores) == (0, {})
    assert not edge.app.watch._new
