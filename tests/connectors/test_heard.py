"""What is kept for a request until somebody takes it."""

import pytest

from connectors.heard import NOTE, OPEN, WAITING, Heard, Said
from mcp_gateway.core.errors import UpstreamFailed, UpstreamTimedOut
from mcp_gateway.wire import jsonrpc


def said(raw: bytes) -> Said:
    return Said(jsonrpc.parse(raw), raw)


def note(text: str) -> Said:
    return said(jsonrpc.notification("notifications/message", jsonrpc.encode({"data": text})))


def question(number: int) -> Said:
    return said(jsonrpc.request(b"%d" % number, "roots/list", b"{}"))


ANSWER = said(jsonrpc.result(b"1", b"{}"))


async def test_what_was_said_comes_before_the_answer_which_stays() -> None:
    heard = Heard("up")
    heard.note(note("one"))
    heard.ended(ANSWER)
    heard.ended(UpstreamFailed("late"))

    came = [(await heard.next(1)).raw for _ in range(3)]
    assert came == [note("one").raw, ANSWER.raw, ANSWER.raw]
    assert not heard.lost


async def test_who_has_answered_waits_for_nothing_that_it_asked() -> None:
    heard = Heard("up")
    assert heard.asked(question(1))
    heard.ended(ANSWER)

    assert await heard.next(1) is ANSWER


async def test_a_failure_is_each_ones_own() -> None:
    heard = Heard("up")
    failure = UpstreamFailed("gone")
    heard.ended(failure)

    for _ in range(2):
        with pytest.raises(UpstreamFailed, match="gone") as told:
            await heard.next(1)
        assert told.value is not failure
    assert heard.lost


async def test_only_so_much_is_kept_and_of_notes_the_latest() -> None:
    heard = Heard("up")
    for number in range(WAITING + 10):
        heard.note(note(str(number)))
    heard.note(note("x" * NOTE))
    assert all(heard.asked(question(number)) for number in range(OPEN))
    assert not heard.asked(question(OPEN))

    kept = [await heard.next(1) for _ in range(WAITING)]

    assert kept[0].raw == note("10").raw
    assert kept[-1].raw == note(str(WAITING + 9)).raw
    assert (await heard.next(1)).raw == question(0).raw


async def test_nothing_for_too_long_is_told() -> None:
    with pytest.raises(UpstreamTimedOut, match=r"up did not answer within 0\.01 s"):
        await Heard("up").next(0.01)
