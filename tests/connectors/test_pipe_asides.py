"""What is said beside an answer over a pipe: progress, questions and cancellation."""

import asyncio

import pytest

from connectors import heard as queues
from mcp_gateway.core.body import Body
from mcp_gateway.core.errors import Forbidden, UpstreamTimedOut
from mcp_gateway.wire import jsonrpc
from tests.connectors.conftest import Around
from tests.connectors.stdio import echo, noted, speaking, text_of
from tests.support.calls import Inbox
from tests.support.waiting import until


async def test_a_ping_is_answered_and_nothing_else_is_offered(around: Around) -> None:
    program = """
        asked = hear()
        say(id="p", method="ping")
        note(json.dumps(hear()))
        say(id="s", method="sampling/createMessage", params={})
        note(json.dumps(hear()))
        answer(asked, "thank you")
        hear()
    """
    async with speaking(around, program) as connector:
        await connector.send(echo())

    pong, refusal = [jsonrpc.decode(line.encode()) for line in noted(around)]
    assert pong == {"jsonrpc": "2.0", "id": "p", "result": {}}
    assert (refusal["id"], refusal["error"]["code"]) == ("s", -32601)


@pytest.mark.requirement("edge:progress-passes")
async def test_of_two_callers_with_the_same_token_each_hears_of_its_own_call(
    around: Around,
) -> None:
    program = """
        one, two = hear(), hear()
        tokens = [asked["params"]["_meta"]["progressToken"] for asked in (one, two)]
        note(json.dumps(tokens))
        for token, progress in zip(tokens, (1, 2)):
            params = {"progressToken": token, "progress": progress}
            say(method="notifications/progress", params=params)
        for token in ("same", 999, None, [1], {"a": 1}):
            say(method="notifications/progress", params={"progressToken": token, "progress": 3})
        say(method="notifications/progress", params={"progress": 4})
        say(method="notifications/progress")
        answer(two, "two")
        answer(one, "one")
        hear()
    """
    inboxes = Inbox(), Inbox()
    async with speaking(around, program) as connector:
        await asyncio.gather(
            *(connector.send(echo(token="same", notify=inbox)) for inbox in inboxes)
        )

    tokens = jsonrpc.decode(noted(around)[0].encode())
    assert len(set(tokens)) == 2
    for inbox, progress in zip(inboxes, (1, 2), strict=True):
        (note,) = [jsonrpc.decode(raw) for raw in inbox.messages]
        assert note["params"] == {"progressToken": "same", "progress": progress}


async def test_who_asked_for_no_progress_hears_of_none(around: Around) -> None:
    program = """
        asked = hear()
        note(json.dumps("_meta" in asked["params"]))
        params = {"progressToken": asked["id"], "progress": 1}
        say(method="notifications/progress", params=params)
        answer(asked, "done")
        hear()
    """
    inbox = Inbox()
    async with speaking(around, program) as connector:
        await connector.send(echo(notify=inbox))

    assert inbox.messages == []
    assert noted(around) == ["false"]


PROGRESS = """
    asked = hear()
    note("asked")
    token = asked["params"]["_meta"]["progressToken"]
    for n in range(COUNT):
        say(method="notifications/progress",
            params={"progressToken": token, "progress": n, "message": "x" * SIZE})
    other = hear()
    while "id" not in other:
        other = hear()
    answer(other, "other")
    answer(asked, "done")
    hear()
"""


@pytest.mark.requirement("upstreams:slow-callers-hold-up-nobody")
async def test_a_caller_who_is_slow_to_hear_holds_up_no_other_call(around: Around) -> None:
    heard: list[bytes] = []
    open_ = asyncio.Event()

    async def slow(message: Body) -> None:
        await open_.wait()
        heard.append(message.raw)

    async with speaking(
        around, PROGRESS.replace("COUNT", "1000").replace("SIZE", "10")
    ) as connector:
        waiting = asyncio.ensure_future(connector.send(echo(token="t", notify=slow)))
        await until(lambda: noted(around))
        other = await asyncio.wait_for(connector.send(echo()), 5)
        open_.set()
        result = await waiting

    assert (text_of(other), text_of(result)) == ("other", "done")
    assert len(heard) <= queues.WAITING + 1
    assert b'"progress":999' in heard[-1]


@pytest.mark.requirement("upstreams:nonsense-is-theirs-alone")
async def test_a_notification_that_is_too_large_is_dropped(around: Around) -> None:
    inbox = Inbox()
    async with speaking(
        around, PROGRESS.replace("COUNT", "2").replace("SIZE", "70000")
    ) as connector:
        waiting = asyncio.ensure_future(connector.send(echo(token="t", notify=inbox)))
        await until(lambda: noted(around))
        await connector.send(echo())
        await waiting

    assert inbox.messages == []


async def test_a_notification_that_may_not_be_released_fails_its_own_call_only(
    around: Around,
) -> None:
    async def gate(message: Body) -> None:
        raise Forbidden("owed before the answer")

    async with speaking(around, PROGRESS.replace("COUNT", "1").replace("SIZE", "1")) as connector:
        refused = asyncio.ensure_future(connector.send(echo(token="t", notify=gate)))
        await until(lambda: noted(around))
        other = await connector.send(echo())
        with pytest.raises(Forbidden):
            await refused

    assert text_of(other) == "other"


NOTES_CANCELLATIONS = """
    asked = hear()
    note("asked " + str(asked["id"]))
    cancelled = hear()
    note(cancelled["method"] + " " + str(cancelled["params"]["requestId"]))
    answer(asked, "too late")
    answer(hear(), "still here")
    hear()
"""


@pytest.mark.requirement("upstreams:cancellation-is-passed-on")
async def test_a_cancelled_call_is_cancelled_at_the_child(around: Around) -> None:
    async with speaking(around, NOTES_CANCELLATIONS) as connector:
        sending = asyncio.ensure_future(connector.send(echo()))
        await until(lambda: noted(around))
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        result = await connector.send(echo())

    asked, cancelled = noted(around)
    assert cancelled == asked.replace("asked", "notifications/cancelled")
    assert text_of(result) == "still here"


@pytest.mark.requirement("upstreams:cancellation-is-passed-on")
async def test_a_call_that_takes_too_long_is_cancelled_at_the_child(around: Around) -> None:
    async with speaking(around, NOTES_CANCELLATIONS, timeout=0.3) as connector:
        with pytest.raises(UpstreamTimedOut, match=r"did not answer within 0\.3 s"):
            await connector.send(echo())
        result = await connector.send(echo())

    assert noted(around)[1].startswith("notifications/cancelled ")
    assert text_of(result) == "still here"


async def test_progress_is_a_sign_of_life(around: Around) -> None:
    program = """
        asked = hear()
        token = asked["params"]["_meta"]["progressToken"]
        for n in range(8):
            time.sleep(0.1)
            say(method="notifications/progress", params={"progressToken": token, "progress": n})
        answer(asked, "at last")
        hear()
    """
    async with speaking(around, program, timeout=0.5) as connector:
        assert text_of(await connector.send(echo(token=1))) == "at last"
