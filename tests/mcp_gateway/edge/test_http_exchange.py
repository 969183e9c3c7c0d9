import asyncio

import pytest

from mcp_gateway.edge.asgi import Pairs
from mcp_gateway.edge.http_exchange import HIGH_WATER, Exchange, framed
from mcp_gateway.edge.http_head import Framing, Lines, head


class Owner:
    """A connection that notes what it is asked for."""

    def __init__(self) -> None:
        self.writable: asyncio.Event | None = None
        self.written: list[bytes] = []
        self.asked: list[str] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def head(self, exchange: Exchange, status: int, pairs: Pairs) -> bytes:
        return head(Lines(), (), status, pairs, exchange.framing, chunks=True)

    def want(self) -> None:
        self.asked.append("want")

    def hold(self) -> None:
        self.asked.append("hold")

    def answered(self, exchange: Exchange) -> None:  # noqa: ARG002  # the port
        self.asked.append("answered")

    def ended(self, exchange: Exchange, task: asyncio.Task[None]) -> None:  # noqa: ARG002
        self.asked.append("ended")


def _made(method: str = "POST", *, expects: bool = False) -> tuple[Owner, Exchange]:
    owner = Owner()
    return owner, Exchange(owner, {"method": method}, keep=True, expects=expects)


def _start(*headers: tuple[bytes, bytes]) -> dict[str, object]:
    return {"type": "http.response.start", "status": 200, "headers": list(headers)}


def _body(data: bytes, *, more: bool = False) -> dict[str, object]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def test_a_whole_answer_leaves_in_one_write() -> None:
    owner, exchange = _made()
    await exchange.send(_start((b"content-length", b"2")))
    assert owner.written == []
    await exchange.send(_body(b"ok"))
    assert owner.written == [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"]
    assert owner.asked == ["answered"]


async def test_the_parts_of_a_body_are_told_once_and_its_end_too() -> None:
    _, exchange = _made()
    exchange.feed(b"a")
    exchange.feed(b"b")
    assert await exchange.receive() == {"type": "http.request", "body": b"ab", "more_body": True}
    exchange.end()
    assert await exchange.receive() == {"type": "http.request", "body": b"", "more_body": False}
    exchange.lose()
    assert await exchange.receive() == {"type": "http.disconnect"}


async def test_more_than_enough_of_a_body_is_held_and_then_wanted_again() -> None:
    owner, exchange = _made()
    exchange.feed(b"x" * HIGH_WATER)
    assert owner.asked == []
    exchange.feed(b"x")
    assert owner.asked == ["hold"]
    await exchange.receive()
    waiting = asyncio.ensure_future(exchange.receive())
    await asyncio.sleep(0)
    assert owner.asked == ["hold", "want"]
    exchange.feed(b"y")
    assert (await waiting)["body"] == b"y"


async def test_a_body_that_nobody_wants_any_more_is_not_kept() -> None:
    owner, exchange = _made()
    await exchange.send(_start())
    await exchange.send(_body(b""))
    for _ in range(10):
        exchange.feed(b"x" * HIGH_WATER)
    assert exchange._body == []
    assert owner.asked == ["answered"]


async def test_two_who_wait_both_learn_that_the_caller_is_gone() -> None:
    _, exchange = _made()
    waiting = [asyncio.ensure_future(exchange.receive()) for _ in range(2)]
    await asyncio.sleep(0)
    exchange.lose()
    async with asyncio.timeout(5):
        assert [(await one)["type"] for one in waiting] == ["http.disconnect"] * 2


async def test_what_is_said_to_nobody_is_dropped_in_silence() -> None:
    owner, exchange = _made()
    await exchange.send(_start())
    exchange.lose()
    await exchange.send(_body(b"x", more=True))
    await exchange.send(_start())
    assert owner.written == []


async def test_who_writes_waits_for_the_network_and_learns_of_its_end() -> None:
    owner, exchange = _made()
    owner.writable = asyncio.Event()
    sending = asyncio.ensure_future(exchange.send(_start()))
    await asyncio.sleep(0)
    assert not sending.done()
    exchange.lose()
    owner.writable.set()
    await asyncio.wait_for(sending, 5)


@pytest.mark.parametrize(
    "said",
    [
        [_start(), _start()],
        [_body(b"x")],
        [_start(), _body(b"x"), _body(b"y")],
        [_start(), _body(b"x", more=True), _start()],
        [_start((b"content-length", b"1")), _body(b"xy")],
        [_start((b"content-length", b"3")), _body(b"xy")],
    ],
)
async def test_messages_out_of_turn_are_the_applications_fault(
    said: list[dict[str, object]],
) -> None:
    _, exchange = _made()
    *before, last = said
    for message in before:
        await exchange.send(message)
    with pytest.raises(RuntimeError):
        await exchange.send(last)


async def test_an_answer_that_never_left_has_not_started() -> None:
    owner, exchange = _made()
    await exchange.send(_start((b"content-length", b"1")))
    with pytest.raises(RuntimeError):
        await exchange.send(_body(b"xy"))
    assert not exchange.started
    assert owner.written == []


async def test_an_answer_to_a_caller_who_waits_to_send_its_body_is_the_last() -> None:
    for arrived, closes in ((False, True), (True, False)):
        _, exchange = _made(expects=True)
        if arrived:
            exchange.feed(b"x")
        await exchange.send(_start())
        await exchange.send(_body(b""))
        assert exchange.framing.close == closes


async def test_an_answer_to_head_has_the_head_alone() -> None:
    owner, exchange = _made("HEAD")
    await exchange.send(_start())
    await exchange.send(_body(b"x", more=True))
    await exchange.send(_body(b"y"))
    assert owner.written == [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"]


def test_an_empty_part_of_a_stream_is_not_its_end() -> None:
    framing = Framing(keep=True)
    framing.chunked = True
    assert framed(framing, b"", more=True) == b""
    assert framed(framing, b"x" * 17, more=False) == b"11\r\n" + b"x" * 17 + b"\r\n0\r\n\r\n"
