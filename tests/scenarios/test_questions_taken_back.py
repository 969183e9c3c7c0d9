"""Questions that an upstream of the initialize era takes back, through the whole gateway."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest

from mcp_gateway.wire import jsonrpc
from tests.connectors.http import EVENTS, Asked, Raw, answer_of, raw_upstream, result
from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.one_upstream import CONFIG, posted
from tests.support.tcp import plain
from tests.support.waiting import until

QUESTION: Final = jsonrpc.request(
    b'"q-1"',
    "elicitation/create",
    b'{"message":"Who?","requestedSchema":{"type":"object","properties":{}}}',
)
WITHDRAWN: Final = jsonrpc.notification("notifications/cancelled", b'{"requestId":"q-1"}')
ACCEPTING: Final = "application/json, text/event-stream"
CALL: Final[dict[str, Any]] = {"name": "everything__ask", "arguments": {}}
ACCEPT: Final = {"elicitation-1": {"action": "accept", "content": {}}}


@dataclass
class World:
    gateway: GatewayUnderTest
    upstream: Raw

    def request(self) -> Asked:
        """The call that the upstream has last been sent."""
        return self.upstream.of("tools/call")[-1]

    def cancelled(self) -> list[int]:
        """The requests that the upstream was told nobody waits for."""
        notes = self.upstream.of("notifications/cancelled")
        return [note.message["params"]["requestId"] for note in notes]

    def of_question(self, call: str) -> list[tuple[str, str, str]]:
        """What the record says of the question of a call."""
        lines = [line for line in self.gateway.entries() if line.get("call") == f"{call}.1"]
        return [(e["kind"], e.get("outcome", ""), e.get("reason", "")) for e in lines]


def asks(asked: Asked) -> bytes:
    """Asks on the stream of a call, which stays open."""
    if asked.verb == "GET":
        return plain(b"", status=b"405 Method Not Allowed")
    if asked.method == "tools/list":
        return result(asked, {"tools": [{"name": "ask", "inputSchema": {"type": "object"}}]})
    if asked.method == "tools/call":
        return EVENTS + b"data: %b\n\n" % QUESTION
    return plain(b"", status=b"202 Accepted")


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("taken-back")
    async with (
        raw_upstream(asks, era="legacy") as upstream,
        gateway_under_test(folder, CONFIG.replace("@URL@", upstream.url)) as gateway,
    ):
        await gateway.serving("everything")
        yield World(gateway, upstream)


async def modern_call(world: World, **more: Any) -> Any:
    answer = await posted(world.gateway, {**CALL, **more}, able={"elicitation": {}})
    return answer.json()["result"]


async def legacy_call(world: World, heard: Callable[[list[Any]], None]) -> list[Any]:
    """What a client of the initialize era hears on the stream of its call."""
    begin = {
        "protocolVersion": "2025-06-18",
        "capabilities": {"elicitation": {}},
        "clientInfo": {"name": "raw", "version": "1"},
    }
    headers = {"accept": ACCEPTING}
    said: list[Any] = []
    async with world.gateway.http("alice") as http:
        message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": begin}
        begun = await http.post("/mcp", json=message, headers=headers)
        headers["mcp-session-id"] = begun.headers["mcp-session-id"]
        message = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": CALL}
        async with http.stream("POST", "/mcp", json=message, headers=headers) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    said.append(json.loads(line[5:]))
                    heard(said)
    return said


async def parked(world: World) -> tuple[str, str]:
    """The state of a call of today's that was asked, and the call's id."""
    state = (await modern_call(world))["requestState"]
    intents = [line for line in world.gateway.entries() if line["kind"] == "intent"]
    return state, intents[-1]["call"]


async def recorded(world: World, call: str, *entry: str) -> None:
    await until(lambda: entry in world.of_question(call))


@pytest.mark.requirement("questions:taken-back-are-told-and-recorded")
@pytest.mark.parametrize("withdrawn", [True, False], ids=["says so", "answers the call"])
async def test_a_session_is_told_that_its_question_is_cancelled_and_hears_the_result(
    world: World, *, withdrawn: bool
) -> None:
    def heard(said: list[Any]) -> None:
        """Goes on once the client was asked, and told that it is not asked any more."""
        if len(said) == 1 and withdrawn:
            world.request().say(WITHDRAWN)
        if len(said) == (2 if withdrawn else 1):
            world.request().say(answer_of(world.request(), "without you"))

    said = await legacy_call(world, heard)

    asked, cancelled, answered = said
    assert asked["method"] == "elicitation/create"
    assert cancelled["method"] == "notifications/cancelled"
    assert cancelled["params"] == {"requestId": asked["id"]}
    assert answered["result"]["content"][0]["text"] == "without you"
    first, second = [e for e in world.gateway.entries() if e["kind"] == "intent"][-2:]
    assert second["parent"] == first["call"]
    reason = "cancelled" if withdrawn else "answered"
    await recorded(world, first["call"], "outcome", "taken_back", reason)
    assert len(world.gateway.parts.parking) == 0


@pytest.mark.requirement("questions:taken-back-are-told-and-recorded")
async def test_a_caller_of_today_finds_the_result_of_the_call_that_ended_meanwhile(
    world: World,
) -> None:
    state, call = await parked(world)
    request = world.request()
    request.say(WITHDRAWN)
    await recorded(world, call, "outcome", "taken_back", "cancelled")
    request.say(answer_of(request, "without you"))
    place = world.gateway.parts.parking._places[call]
    async with asyncio.timeout(10):
        while await place.parked.fate() != "answered":
            await asyncio.sleep(0.01)

    answer = await modern_call(world, requestState=state, inputResponses=ACCEPT)

    assert answer["content"][0]["text"] == "without you"
    assert [kind for kind, *_ in world.of_question(call)] == ["asked", "outcome"]


@pytest.mark.requirement("questions:taken-back-are-told-and-recorded")
async def test_a_caller_of_today_is_told_that_its_answer_comes_too_late(world: World) -> None:
    state, call = await parked(world)
    request = world.request()
    request.say(WITHDRAWN)
    await recorded(world, call, "outcome", "taken_back", "cancelled")

    answer = await modern_call(world, requestState=state, inputResponses=ACCEPT)
    await until(lambda: request.message["id"] in world.cancelled())

    assert answer["isError"]
    assert "taken its question back" in answer["content"][0]["text"]
    assert world.gateway.outcomes()[-1]["outcome"] == "question_expired"


@pytest.mark.requirement("parks:end-with-their-caller")
async def test_what_an_upstream_that_goes_away_asked_does_not_wait_for_its_caller(
    world: World,
) -> None:
    state, call = await parked(world)

    world.request().close()
    await until(lambda: not len(world.gateway.parts.parking))
    answer = await modern_call(world, requestState=state, inputResponses=ACCEPT)

    assert answer["isError"]
    assert "expired" in answer["content"][0]["text"]
    await until(lambda: [e for e in world.gateway.entries() if e["kind"] == "expired"])
    (ended,) = [e for e in world.gateway.entries() if e["kind"] == "expired"]
    assert (ended["call"], ended["reason"]) == (call, "lost")
