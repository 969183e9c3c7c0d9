"""A listen at the edge: its filter, its tags, and its ends."""

import asyncio
import json
from typing import Any

import pytest

from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.decision import Decision, Effect
from mcp_gateway.core.target import Target
from mcp_gateway.edge.listening import METHOD, tagged, wanted
from mcp_gateway.wire import modern
from tests.support.calls import ALICE, Inbox, snapshot
from tests.support.edge import EdgeUnderTest, keyring, message, modern_headers, with_meta
from tests.support.fakes import FakePolicy
from tests.support.waiting import until

WANTED = {"notifications": {"toolsListChanged": True}}
TARGET = Target("subscription", "gateway", METHOD)


class Hearing(EdgeUnderTest):
    """An edge whose chain ends at the listens."""

    def __init__(self) -> None:
        super().__init__()
        self.chain = self._listen
        self.outcomes: list[str] = []
        self.held = asyncio.Event()
        self.held.set()

    async def _listen(self, call: Call) -> Result:
        call.target = TARGET
        await self.held.wait()
        try:
            result = await self.listens.run(call)
        except asyncio.CancelledError:
            self.outcomes.append("cancelled")
            raise
        self.outcomes.append(call.facts["ended"])
        return result

    def listen(self, id_: Any = 1) -> Any:
        body = message(METHOD, with_meta(WANTED), id_)
        return self.exchange(body, headers=modern_headers(METHOD, WANTED))


def test_a_session_asks_for_what_a_listener_would() -> None:
    body = wanted(["tools", "resources"], ["note://a"])

    assert body.view()["notifications"] == {
        "toolsListChanged": True,
        "resourcesListChanged": True,
        "resourceSubscriptions": ["note://a"],
    }
    assert len(wanted().view()["notifications"]) == 4


@pytest.mark.requirement("listens:acknowledged-first")
@pytest.mark.parametrize("id_", [b"7", b'"seven"', b"1.50", b"12345678901234567890"])
async def test_a_frame_bears_the_id_byte_for_byte(id_: bytes) -> None:
    inbox = Inbox()
    deliver = tagged(inbox, id_)

    await deliver(Body(b'{"jsonrpc":"2.0","method":"a","params":{"uri":"x"}}'))
    await deliver(Body(b'{"jsonrpc":"2.0","method":"b","params":{"_meta":{"k":1}}}'))
    await deliver(Body(b'{"jsonrpc":"2.0","method":"c"}'))

    name = modern.META_SUBSCRIPTION.encode()
    for raw in inbox.messages:
        assert b'"%b":%b' % (name, id_) in raw
    assert json.loads(inbox.messages[1])["params"]["_meta"]["k"] == 1


@pytest.mark.requirement("listens:recorded")
async def test_who_hangs_up_ends_the_listen_and_cancels_nothing() -> None:
    edge = Hearing()
    exchange = edge.listen()
    running = asyncio.get_running_loop().create_task(exchange.run(edge.app))
    await until(lambda: exchange.answered.parts)
    exchange.hang_up.set()
    await running

    assert edge.outcomes == ["left"]
    assert (len(edge.listens), len(edge.standing)) == (0, 0)


async def test_who_hangs_up_before_they_listen_cancels_the_call() -> None:
    edge = Hearing()
    edge.held.clear()
    exchange = edge.listen()
    running = asyncio.get_running_loop().create_task(exchange.run(edge.app))
    await until(lambda: edge.calls)
    exchange.hang_up.set()
    await asyncio.gather(running, return_exceptions=True)

    assert running.cancelled()
    assert len(edge.standing) == 0


@pytest.mark.requirement("standing:authenticated-again-on-each-swap")
async def test_a_revocation_that_comes_before_the_listen_has_begun_ends_it_once_it_has() -> None:
    edge = Hearing()
    edge.held.clear()
    running = asyncio.get_running_loop().create_task(edge.listen("early").run(edge.app))
    await until(lambda: edge.calls)
    edge.current.swap_keyring(keyring(revoked=frozenset({f"subject:{ALICE.identity}"})))
    await edge.standing.look()
    edge.held.set()
    answered = await running

    assert edge.outcomes == ["revoked"]
    assert answered.events()[-1]["id"] == "early"


@pytest.mark.requirement("standing:authorized-again-on-each-swap")
@pytest.mark.parametrize("gone", [False, True], ids=["denied", "the server is gone"])
async def test_a_listen_that_would_not_be_let_in_again_ends_with_its_result(*, gone: bool) -> None:
    edge = Hearing()
    exchange = edge.listen()
    running = asyncio.get_running_loop().create_task(exchange.run(edge.app))
    await until(lambda: exchange.answered.parts)
    await edge.standing.look()
    stayed = len(edge.listens)
    denied = FakePolicy(Decision(Effect.DENY, "closed", "the rule closed says deny"))
    edge.current.swap(snapshot(policy=denied) if not gone else snapshot(targets=[], policy=denied))
    await edge.standing.look()
    answered = await running

    assert (stayed, edge.outcomes) == (1, ["revoked"])
    result = answered.events()[-1]
    assert (result["id"], result["result"]["resultType"]) == (1, "complete")
    assert result["result"]["_meta"][modern.META_SUBSCRIPTION] == 1


async def test_a_session_can_end_its_own_listen() -> None:
    edge = Hearing()
    exchange = edge.listen()
    running = asyncio.get_running_loop().create_task(exchange.run(edge.app))
    await until(lambda: exchange.answered.parts)
    ended = edge.app.listening.end(edge.calls[0].id, "left")
    await running

    assert (ended, edge.outcomes) == (True, ["left"])
    assert edge.app.listening.end(edge.calls[0].id, "left") is False
