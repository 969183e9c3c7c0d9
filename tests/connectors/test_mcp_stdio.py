"""The connector to a child: what is agreed on, and starting it again."""

import asyncio

import pytest

from connectors import mcp_stdio, restarts
from connectors.mcp_stdio import McpStdio, StdioConfig
from mcp_gateway.core.credential import NONE
from mcp_gateway.core.errors import Overloaded, UpstreamFailed, UpstreamTimedOut
from mcp_gateway.wire import jsonrpc
from tests.connectors.conftest import Around
from tests.connectors.stdio import echo, noted, speaking, text_of
from tests.support.waiting import reaped, until

SERVES = """
    while True:
        asked = hear()
        if asked["method"] == "tools/list":
            say(id=asked["id"], result={"tools": [
                {"name": "echo", "inputSchema": {"type": "object"}}]})
        elif asked["method"] == "tools/call":
            answer(asked, asked["params"]["arguments"]["text"])
        elif "id" in asked:
            say(id=asked["id"], error={"code": -32601, "message": "not found"})
"""


async def test_opening_starts_nothing(around: Around) -> None:
    async with speaking(around, SERVES):
        assert around.ledger.kinds == []


async def test_tools_are_discovered_and_called_over_one_child(around: Around) -> None:
    async with speaking(around, SERVES) as connector:
        found = await connector.discover(NONE)
        results = await asyncio.gather(*(connector.send(echo(f"n{n}")) for n in range(20)))

    assert [(d.kind, d.name) for d in found] == [("tool", "echo")]
    assert [text_of(result) for result in results] == [f"n{n}" for n in range(20)]
    assert around.ledger.kinds == ["spawn", "child.ended"]


async def test_calls_that_come_before_it_is_started_start_one_child(around: Around) -> None:
    async with speaking(around, SERVES) as connector:
        await asyncio.gather(*(connector.send(echo()) for _ in range(10)))

    assert around.ledger.kinds.count("spawn") == 1


async def test_a_result_of_the_initialize_era_is_made_one_of_today(around: Around) -> None:
    async with speaking(around, SERVES) as connector:
        result = await connector.send(echo())

    assert result.view()["resultType"] == "complete"


MODERN = """
    while True:
        asked = hear()
        meta = asked.get("params", {}).get("_meta", {})
        note(asked["method"] + " " + meta.get("io.modelcontextprotocol/protocolVersion", "none"))
        if asked["method"] == "server/discover":
            say(id=asked["id"], result={"resultType": "complete", "capabilities": {"tools": {}},
                "supportedVersions": ["2026-07-28"], "ttlMs": 0, "cacheScope": "private"})
        elif asked["method"] == "tools/list":
            say(id=asked["id"], result={"tools": [
                {"name": "echo", "inputSchema": {"type": "object"}}]})
        elif asked["method"] == "tools/call":
            answer(asked, "modern")
        elif "id" in asked:
            say(id=asked["id"], error={"code": -32601, "message": "not found"})
"""


@pytest.mark.requirement("upstreams:either-era")
async def test_a_child_that_speaks_2026_07_28_alone_is_spoken_to_so(around: Around) -> None:
    async with speaking(around, MODERN, started=False) as connector:
        found = await connector.discover(NONE)
        result = await connector.send(echo())

    assert [d.name for d in found] == ["echo"]
    assert text_of(result) == "modern"
    assert "resultType" not in result.view()
    lines = noted(around)
    assert lines[0] == "initialize none"
    assert {line.split()[1] for line in lines[1:]} == {"2026-07-28"}


async def test_a_child_that_refuses_one_era_and_has_no_other_is_told(around: Around) -> None:
    program = """
        say(id=hear()["id"], error={"code": -32601, "message": "no initialize"})
        say(id=hear()["id"], result={"supportedVersions": ["2031-01-01"]})
        hear()
    """
    async with speaking(around, program, started=False) as connector:
        with pytest.raises(UpstreamFailed, match="does not take part: the error -32601"):
            await connector.discover(NONE)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("error={'code': -32601, 'message': 'no'}", "does not take part: the error -32601: no"),
        ("result={'protocolVersion': '1999-01-01'}", "a revision that is not known here"),
        ("result={'protocolVersion': ['2025-11-25']}", "a revision that is not known here"),
        ("result={}", "a revision that is not known here"),
        ("result=7", "no result and no error"),
    ],
)
async def test_a_child_that_speaks_nothing_known_is_told_and_ended(
    around: Around, answer: str, why: str
) -> None:
    program = f"""
        while True:
            say(id=hear()["id"], {answer})
    """
    async with speaking(around, program, started=False) as connector:
        with pytest.raises(UpstreamFailed, match=why):
            await connector.discover(NONE)
        assert around.ledger.kinds == ["spawn", "child.ended"]


async def test_a_child_that_never_takes_part_is_ended_in_time(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_stdio, "STARTING", 0.2)
    async with speaking(around, "while True: hear()", started=False) as connector:
        with pytest.raises(UpstreamTimedOut):
            await connector.send(echo())
        assert around.ledger.kinds == ["spawn", "child.ended"]
        with pytest.raises(UpstreamFailed, match=r"did not answer.*will be started again"):
            await connector.send(echo())


@pytest.mark.requirement("upstreams:a-dead-one-fails-its-calls")
async def test_a_child_that_has_ended_is_started_again_by_the_next_call(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restarts, "STEADY", 0.0)
    program = """
        answer(hear(), str(os.getpid()))
        hear()
        os._exit(1)
    """
    async with speaking(around, program) as connector:
        first = text_of(await connector.send(echo()))
        with pytest.raises(UpstreamFailed):
            await connector.send(echo())
        second = text_of(await connector.send(echo()))

    assert first != second
    assert reaped(int(first))
    assert around.changed[0] == "up"


@pytest.mark.requirement("children:growing-pauses")
async def test_a_child_that_ends_at_once_is_not_started_for_every_call(around: Around) -> None:
    async with speaking(around, "sys.exit('no licence')", started=False) as connector:
        for _ in range(5):
            with pytest.raises(UpstreamFailed) as told:
                await connector.send(echo())

        assert around.ledger.kinds == ["spawn", "child.ended"]
    assert told.value.reason == "up ended with exit code 1; it will be started again"
    assert told.value.retry_after > 0
    assert told.value.detail == "no licence"


async def test_what_cannot_be_recorded_is_refused_and_tried_again(around: Around) -> None:
    around.ledger.broken.add("spawn")
    async with speaking(around, SERVES) as connector:
        with pytest.raises(Overloaded):
            await connector.send(echo())
        around.ledger.broken.clear()
        assert text_of(await connector.send(echo("now"))) == "now"


async def test_after_it_was_closed_nothing_is_started(around: Around) -> None:
    async with speaking(around, SERVES) as connector:
        await connector.send(echo())
        await asyncio.gather(connector.aclose(), connector.aclose())

        with pytest.raises(UpstreamFailed, match="is being stopped"):
            await connector.send(echo())
    assert around.ledger.kinds == ["spawn", "child.ended"]


async def test_closing_fails_the_calls_that_are_under_way(around: Around) -> None:
    program = """
        hear()
        note("asked")
        hear()
    """
    async with speaking(around, program) as connector:
        sending = asyncio.ensure_future(connector.send(echo()))
        await until(lambda: noted(around))
        await connector.aclose()

        with pytest.raises(UpstreamFailed, match="up was stopped"):
            await sending


async def test_a_caller_who_leaves_while_it_starts_leaves_nothing_behind(around: Around) -> None:
    async with speaking(around, "while True: hear()", started=False) as connector:
        sending = asyncio.ensure_future(connector.send(echo()))
        await until(lambda: around.ledger.kinds)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await until(lambda: "child.ended" in around.ledger.kinds)


@pytest.mark.parametrize(
    "config", [{}, {"command": []}, {"command": ["x"], "timeout": 0}, {"command": ["x"], "url": ""}]
)
def test_a_configuration_that_cannot_be_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        McpStdio.Config.model_validate(config)


async def test_a_program_that_is_not_there_is_told(around: Around) -> None:
    own = StdioConfig(command=["no-such-program"])
    connector = await McpStdio.open("up", own, around.services)

    with pytest.raises(UpstreamFailed, match="there is no program 'no-such-program'"):
        await connector.discover(NONE)
    await connector.aclose()


async def test_the_caller_s_own_meta_is_kept_and_what_is_of_today_is_not(around: Around) -> None:
    program = """
        note(json.dumps(hear()["params"]))
        sys.exit(0)
    """
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "com.example/own": [1],
    }
    made = echo()
    made.outgoing = jsonrpc.body(
        jsonrpc.encode({"name": "up__echo", "arguments": {}, "_meta": meta})
    )
    async with speaking(around, program) as connector:
        with pytest.raises(UpstreamFailed):
            await connector.send(made)

    assert jsonrpc.decode(noted(around)[0].encode()) == {
        "name": "echo",
        "arguments": {},
        "_meta": {"com.example/own": [1]},
    }
