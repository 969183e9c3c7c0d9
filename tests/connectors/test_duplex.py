"""One channel for everybody: in any order of events each hears of their own call, and no other."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import abilities, dialect
from connectors.duplex import Duplex
from connectors.heard import Said
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Credential
from mcp_gateway.core.errors import QuestionExpired, UpstreamFailed
from mcp_gateway.wire import jsonrpc
from tests.connectors.answering import able, asked_of, retry
from tests.connectors.http import echo, said
from tests.support.calls import Inbox


@dataclass
class Channel:
    """Keeps what leaves, parsed."""

    sent: list[jsonrpc.Message] = field(default_factory=list)
    said: list[jsonrpc.Message] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    announced: list[str] = field(default_factory=list)

    async def deliver(self, message: bytes, credential: Credential) -> None:
        await asyncio.sleep(0)
        self.sent.append(jsonrpc.parse(message))
        self.shown.append(credential.reference)

    def say(self, message: bytes) -> None:
        self.said.append(jsonrpc.parse(message))


def duplex(channel: Channel) -> Duplex:
    made = Duplex("up", channel, lambda message: channel.announced.append(message.method))
    made.asks = True
    return made


def take(line: Duplex, raw: bytes) -> None:
    line.take(Said(jsonrpc.parse(raw), raw))


def settle(call: Call, answer: jsonrpc.Message) -> Result:
    return dialect.result("up", call.method, answer)


def sending(line: Duplex, made: Call) -> "asyncio.Future[Result]":
    params = jsonrpc.encode({"name": "echo", "_meta": made.params.view().get("_meta", {})})
    able_ = abilities.of(made)
    return asyncio.ensure_future(line.send(made, params, settle, able=able_, idle=5))


async def settled(condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come to that")


def answer_to(id_: bytes, text: str) -> bytes:
    return jsonrpc.result(id_, jsonrpc.encode({"content": [{"type": "text", "text": text}]}))


def progress(token: Any, value: Any) -> bytes:
    params = {"progressToken": token, "progress": value}
    return jsonrpc.notification("notifications/progress", jsonrpc.encode(params))


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[str], list[int]]:
    """What each call will be told, and the order in which calls are heard of, three times each.

    All is drawn before a loop runs: an example that is given up within one would end its task
    with an exception that nobody fetches, and a later test would find it logged.
    """
    texts = draw(st.lists(st.text(max_size=4), min_size=2, max_size=6))
    steps = [number for number in range(len(texts)) for _ in range(3)]
    return texts, draw(st.permutations(steps))


@settings(max_examples=60, deadline=None)
@given(histories())
@pytest.mark.requirement("sessions:numbers-never-meet")
async def test_ids_and_tokens_never_meet_another_callers(
    history: tuple[list[str], list[int]],
) -> None:
    """Calls begin, report and end in any order, all under tokens that are the same."""
    channel, (texts, order) = Channel(), history
    line = duplex(channel)
    inboxes = [Inbox() for _ in texts]
    tasks = [sending(line, echo(token="same", notify=inbox)) for inbox in inboxes]
    await settled(lambda: len(channel.sent) == len(tasks))
    ids = [message.id for message in channel.sent]
    left = dict.fromkeys(range(len(texts)), 3)
    reported = dict.fromkeys(range(len(texts)), 0)

    for number in order:
        left[number] -= 1
        if left[number]:
            reported[number] += 1
            take(line, progress(int(ids[number]), f"{number}"))
        else:
            take(line, answer_to(ids[number], texts[number]))
            take(line, answer_to(ids[number], "twice"))

    results = await asyncio.gather(*tasks)
    assert [said(result) for result in results] == texts
    assert len(set(ids)) == len(texts)
    for number, inbox in enumerate(inboxes):
        notes = [jsonrpc.decode(raw)["params"] for raw in inbox.messages]
        expected = {"progressToken": "same", "progress": f"{number}"}
        assert notes == [expected] * reported[number]
    assert not line.busy


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["begin", "ask", "answer"]), min_size=3, max_size=14))
@pytest.mark.requirement("questions:unclear-ones-are-refused")
async def test_a_question_is_asked_of_the_one_call_under_way_or_of_nobody(
    steps: list[str],
) -> None:
    channel = Channel()
    line = duplex(channel)
    under: list[asyncio.Future[Result]] = []
    refused = ended = 0
    for number, step in enumerate(steps):
        if step == "begin":
            under.append(sending(line, able(echo())))
            await settled(lambda: len(channel.sent) == len(under) + ended)  # noqa: B023
        elif step == "ask":
            refused += len(under) != 1
            take(line, jsonrpc.request(b'"q%d"' % number, "roots/list", b"{}"))
        elif under:
            ended += 1
            await left(under.pop())
        await asyncio.sleep(0)

    assert len([message for message in channel.said if message.error]) == refused
    for task in under:
        await left(task)
    assert not line.busy


async def left(task: "asyncio.Future[Result]") -> None:
    """Nobody wants to know any more."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        parked = asked_of(task.result()).parked
        assert parked is not None
        await parked.abandon()


async def test_the_answer_leaves_with_the_credential_of_who_gives_it() -> None:
    channel = Channel()
    line = duplex(channel)
    made = able(echo(Credential("first")))
    task = sending(line, made)
    await settled(lambda: bool(channel.sent))
    take(line, jsonrpc.request(b'"q"', "roots/list", b"{}"))
    waiting = asked_of(await task).parked
    assert waiting is not None
    again = retry(made, {"roots-1": {"roots": []}})
    again.credential = Credential("second")

    resuming = asyncio.ensure_future(waiting.resume(again))
    await settled(lambda: len(channel.sent) == 2)
    take(line, answer_to(channel.sent[0].id, "done"))

    assert said(await resuming) == "done"
    assert channel.shown == ["first", "second"]
    assert (channel.sent[1].id, channel.sent[1].result) == (b'"q"', b'{"roots":[]}')


async def test_when_the_channel_is_gone_so_is_what_is_parked() -> None:
    channel = Channel()
    line = duplex(channel)
    made = able(echo())
    task = sending(line, made)
    await settled(lambda: bool(channel.sent))
    take(line, jsonrpc.request(b'"q"', "roots/list", b"{}"))
    waiting = asked_of(await task).parked
    assert waiting is not None

    line.lost(UpstreamFailed("up is gone"))

    with pytest.raises(QuestionExpired):
        await waiting.resume(retry(made, {"roots-1": {"roots": []}}))
    with pytest.raises(UpstreamFailed, match="gone"):
        await line.ask("ping", b"{}", 1)


@pytest.mark.requirement("questions:taken-back")
async def test_a_question_that_is_withdrawn_is_expired() -> None:
    channel = Channel()
    line = duplex(channel)
    made = able(echo())
    task = sending(line, made)
    await settled(lambda: bool(channel.sent))
    take(line, jsonrpc.request(b'"q"', "roots/list", b"{}"))
    waiting = asked_of(await task).parked
    assert waiting is not None

    take(line, jsonrpc.notification("notifications/cancelled", b'{"requestId":"q"}'))

    assert await waiting.fate() == "taken_back"
    with pytest.raises(QuestionExpired, match="taken its question back"):
        await waiting.resume(retry(made, {"roots-1": {"roots": []}}))


@pytest.mark.requirement("questions:taken-back")
async def test_a_question_that_is_withdrawn_before_it_is_asked_is_asked_of_nobody() -> None:
    channel = Channel()
    line = duplex(channel)
    made = able(echo())
    task = sending(line, made)
    await settled(lambda: bool(channel.sent))
    for id_ in (b'"q"', b'"r"'):
        take(line, jsonrpc.request(id_, "roots/list", b"{}"))
    take(line, jsonrpc.notification("notifications/cancelled", b'{"requestId":"r"}'))
    waiting = asked_of(await task).parked
    assert waiting is not None

    resuming = asyncio.ensure_future(waiting.resume(retry(made, {"roots-1": {"roots": []}})))
    await settled(lambda: len(channel.sent) == 2)
    take(line, answer_to(channel.sent[0].id, "done"))

    assert said(await resuming) == "done"


async def test_a_log_message_is_for_the_one_call_under_way_or_for_nobody() -> None:
    channel, inboxes = Channel(), [Inbox(), Inbox()]
    line = duplex(channel)
    note = jsonrpc.notification("notifications/message", b'{"level":"error","data":1}')
    first = sending(line, echo(level="info", notify=inboxes[0]))
    await settled(lambda: len(channel.sent) == 1)
    take(line, note)
    await settled(lambda: bool(inboxes[0].messages))

    second = sending(line, echo(level="info", notify=inboxes[1]))
    await settled(lambda: len(channel.sent) == 2)
    take(line, note)
    for message in channel.sent:
        take(line, answer_to(message.id, "done"))
    await asyncio.gather(first, second)

    assert [len(inbox.messages) for inbox in inboxes] == [1, 0]


async def test_the_level_is_set_before_the_first_call_that_wants_more() -> None:
    channel = Channel()
    line = duplex(channel)
    line.logs = True
    task = sending(line, echo(level="info"))
    await settled(lambda: bool(channel.sent))
    (setting,) = channel.sent
    take(line, jsonrpc.result(setting.id, b"{}"))
    await settled(lambda: len(channel.sent) == 2)
    take(line, answer_to(channel.sent[1].id, "done"))
    await task

    assert [message.method for message in channel.sent] == ["logging/setLevel", "tools/call"]
    assert setting.params.view() == {"level": "info"}


async def test_what_is_about_no_request_is_announced() -> None:
    channel = Channel()
    for name in ("tools/list_changed", "resources/updated", "com.example/own"):
        take(duplex(channel), jsonrpc.notification(f"notifications/{name}", b"{}"))

    assert channel.announced == [
        "notifications/tools/list_changed",
        "notifications/resources/updated",
    ]
