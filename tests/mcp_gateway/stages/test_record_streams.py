"""A result that is not held is recorded as it passes, and is nothing without its record."""

import asyncio
import hashlib
from contextlib import aclosing

import pytest

from mcp_gateway.core.body import Body, Streaming
from mcp_gateway.core.decision import RECORD, Obligation
from mcp_gateway.core.entry import Receipt
from mcp_gateway.core.errors import Forbidden, Overloaded, UpstreamFailed
from mcp_gateway.stages.record import Record
from tests.support.calls import Rest, resolved, snapshot
from tests.support.fakes import FakeLedger, FakeObserver, FakeParking, FakeStream, allowing

PIECES = (b'{"content":[', b'"x",', b'"y"', b"]}")


async def passed(ledger: FakeLedger, stream: FakeStream) -> Streaming:
    """The stream as it leaves the stage."""
    world = snapshot()
    for upstream in world.upstreams.values():
        vars(upstream)["owed"] = frozenset({RECORD})
    made = resolved(snapshot=world)
    result = await Record(ledger, FakeParking(), clock=lambda: 1.0)(
        made, Rest(Body(b"", stream=stream))
    )
    assert result.stream is not None
    return result.stream


async def collect(stream: Streaming, seen: list[bytes]) -> None:
    """Keeps what came when it breaks off."""
    async for piece in stream.chunks():
        seen.append(piece)  # noqa: PERF401  # a comprehension would lose it


@pytest.mark.requirement("streams:closing-bytes-wait")
async def test_the_last_piece_waits_until_the_outcome_is_on_disk() -> None:
    ledger = FakeLedger()
    stream = await passed(ledger, FakeStream(PIECES))

    seen = [(piece, len(ledger.entries)) async for piece in stream.chunks()]

    assert seen == [(PIECES[0], 0), (PIECES[1], 0), (PIECES[2], 0), (PIECES[3], 1)]
    assert ledger.last.body["outcome"] == "ok"


@pytest.mark.requirement("streams:large-results-are-committed-to")
async def test_the_outcome_has_the_size_and_the_commitment_of_what_passed() -> None:
    ledger = FakeLedger()
    stream = await passed(ledger, FakeStream(PIECES))

    whole = b"".join([piece async for piece in stream.chunks()])

    assert (ledger.last.body["bytes_out"], ledger.last.body["streamed"]) == (len(whole), True)
    assert ledger.last.committed == {"result": hashlib.sha256(whole).hexdigest()}
    assert "result" not in ledger.last.content


async def test_a_stream_that_says_that_it_failed_is_an_error() -> None:
    ledger = FakeLedger()
    stream = await passed(ledger, FakeStream(PIECES, failed=True))

    assert len([piece async for piece in stream.chunks()]) == len(PIECES)
    assert ledger.last.body["outcome"] == "error"


@pytest.mark.requirement("streams:closing-bytes-wait")
async def test_without_a_record_the_last_piece_never_leaves() -> None:
    stream = await passed(FakeLedger(broken={"outcome"}), FakeStream(PIECES))
    seen: list[bytes] = []

    with pytest.raises(Overloaded):
        await collect(stream, seen)

    assert seen == list(PIECES[:-1])


@pytest.mark.requirement("streams:a-cut-answer-is-none")
@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (UpstreamFailed("it broke"), "upstream_failed"),
        (ZeroDivisionError(), "failed"),
        (asyncio.CancelledError(), "cancelled"),
    ],
)
async def test_a_stream_that_breaks_is_recorded_with_how_it_did(
    error: BaseException, outcome: str
) -> None:
    ledger, seen = FakeLedger(), list[bytes]()
    stream = await passed(ledger, FakeStream(PIECES, breaks=error))

    with pytest.raises(type(error)):
        await collect(stream, seen)

    assert seen == list(PIECES[:-1])
    assert ledger.kinds == ["outcome"]
    assert ledger.last.body["outcome"] == outcome
    assert ledger.last.body["bytes_out"] == sum(map(len, PIECES[:-1]))
    assert ledger.last.committed is None


@pytest.mark.requirement("streams:a-reader-that-is-gone-cancels")
async def test_a_reader_that_leaves_is_recorded_and_closes_the_upstream() -> None:
    ledger, inner = FakeLedger(), FakeStream(PIECES)
    stream = await passed(ledger, inner)

    async with aclosing(stream.chunks()) as pieces:
        await anext(pieces)

    assert inner.closed
    assert ledger.last.body["outcome"] == "cancelled"
    assert ledger.last.body["bytes_out"] == len(PIECES[0])


async def test_a_stream_that_is_still_owed_a_look_is_closed_and_refused() -> None:
    ledger, inner = FakeLedger(), FakeStream(PIECES)
    made = resolved(snapshot=snapshot(policy=allowing(Obligation("guard", "strict", "result"))))

    with pytest.raises(Forbidden):
        await Record(ledger, FakeParking())(made, Rest(Body(b"", stream=inner)))

    assert (inner.given, inner.closed) == (0, 1)
    assert ledger.last.body["outcome"] == "forbidden"


async def test_observers_and_the_call_know_when_it_has_passed() -> None:
    observer, ledger = FakeObserver(), FakeLedger()
    world = snapshot()
    for upstream in world.upstreams.values():
        vars(upstream)["owed"] = frozenset({RECORD})
    made = resolved(snapshot=world)
    record = Record(ledger, FakeParking(), [observer], clock=lambda: 1.0)
    result = await record(made, Rest(Body(b"", stream=FakeStream(PIECES))))
    assert result.stream is not None
    before = list(observer.seen)

    assert b"".join([piece async for piece in result.stream.chunks()]) == b"".join(PIECES)

    assert before == []
    assert observer.seen == [("c-1", "ok", 0.0)]
    assert made.receipt == Receipt("log", 0)
