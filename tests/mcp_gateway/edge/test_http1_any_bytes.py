"""Whatever bytes arrive, and however they are cut."""

import asyncio
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn import Config
from uvicorn.server import ServerState

from mcp_gateway.edge.http1 import Http1
from mcp_gateway.edge.patience import Patience
from tests.support.http1 import echo, get, post

CHUNKED = "transfer-encoding: chunked"
WISH = ("connection: upgrade", "upgrade: h2c")
PIECES = [
    get(),
    get("/a%20b?c=d", "x:", "y: z "),
    get("/", "connection: close"),
    get("/", *WISH),
    post("content-length: 5", body=b"hello"),
    post("content-length: 5", *WISH, body=b"hello"),
    post(CHUNKED, body=b"5;a=b\r\nhello\r\n0\r\nx: y\r\n\r\n"),
    post(CHUNKED, *WISH, body=b"5\r\nhello\r\n0\r\n\r\n"),
    post("expect: 100-continue", "content-length: 5"),
    post("transfer-encoding: gzip, chunked"),
    b"HEAD / HTTP/1.0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n\r\n",
    b"content-length: 3\r\n",
    b"\r\n",
    b"0\r\n\r\n",
    b"GET ",
    b"\x00",
]


class Wire(asyncio.Transport):
    """What is written, until the end."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.ended = False

    def write(self, data: Any) -> None:
        if not self.ended:
            self.written += data

    def close(self) -> None:
        self.ended = True

    abort = write_eof = close

    def is_closing(self) -> bool:
        return self.ended

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading


def _answers(pieces: list[bytes], *, turns: bool) -> tuple[bytes, bool]:
    """What is written when these arrive together, or each after what came before was answered."""

    async def run() -> tuple[bytes, bool]:
        state, wire = ServerState(), Wire()
        config = Config(echo, lifespan="off", log_config=None)
        config.load()
        loop = asyncio.get_running_loop()
        connection = Http1(config, state, {}, loop, patience=Patience())
        connection.connection_made(wire)
        for piece in pieces:
            connection.data_received(piece)
            if turns:
                await _settled()
        await _settled()
        written, ended = wire.written, wire.ended
        connection.connection_lost(None)
        await _settled()
        assert not state.tasks
        return written, ended

    return asyncio.run(run())


async def _settled() -> None:
    for _ in range(60):
        await asyncio.sleep(0)


def _cut(said: bytes, at: list[int]) -> list[bytes]:
    places = [0, *sorted(place % (len(said) + 1) for place in at), len(said)]
    return [said[a:b] for a, b in pairwise(places) if a < b]


SAID = st.lists(st.sampled_from(PIECES) | st.binary(max_size=30), max_size=6).map(b"".join)
AT = st.lists(st.integers(0, 10_000), max_size=12)


@settings(max_examples=300, deadline=None)
@given(SAID, AT)
def test_any_bytes_cut_anywhere_give_the_answers_of_the_whole(said: bytes, at: list[int]) -> None:
    assert _answers(_cut(said, at), turns=False) == _answers([said], turns=False)


@settings(max_examples=100, deadline=None)
@given(SAID, AT)
def test_any_bytes_at_any_pace_are_answered_or_refused(said: bytes, at: list[int]) -> None:
    written, _ = _answers(_cut(said, at), turns=True)
    assert written == b"" or written.startswith(b"HTTP/1.1 ")
