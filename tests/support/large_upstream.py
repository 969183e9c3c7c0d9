"""An upstream of results of any size, in every way in which a result can come."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from tests.connectors.http import Asked, Era, read, result, taking_part
from tests.support.tcp import plain, read_request

Way = Literal["length", "chunked", "events", "lines", "late"]
WAYS: Final[tuple[Way, ...]] = ("length", "chunked", "events", "lines", "late")
"""With its length, in chunks, as an event, as an event of many lines, or its id behind it."""
WORD: Final = "word \n"
"""What the text of a result is made of."""
_TOOL: Final = {"name": "give", "inputSchema": {"type": "object"}}
_PIECE: Final = WORD.replace("\n", "\\n").encode() * 8192


@dataclass
class Large:
    """`sent` are the bytes of answers so far; `left` counts who went before the end of one."""

    url: str = ""
    sent: int = 0
    left: int = 0
    asked: list[Asked] = field(default_factory=list)


@asynccontextmanager
async def large_upstream(era: Era = "modern") -> AsyncIterator[Large]:
    """Its tool `give` takes `size`, `way`, and `member` and `cut` for what is not as it should be.

    `member` stands at the end of the result; `cut` leaves out so many bytes of the answer's end.
    """
    found = Large()
    open_: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        open_.add(task)
        task.add_done_callback(open_.discard)
        with suppress(asyncio.IncompleteReadError, asyncio.CancelledError):
            try:
                await _serve(found, era, reader, writer)
            except ConnectionError:
                found.left += 1
        writer.transport.abort()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
    try:
        yield found
    finally:
        server.close()
        for task in list(open_):
            task.cancel()
        if open_:
            await asyncio.wait(open_, timeout=5)


async def _serve(
    found: Large, era: Era, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while True:
        asked = read(await read_request(reader))
        found.asked.append(asked)
        if said := taking_part(asked, era, "s-1") or _listed(asked):
            writer.write(said)
            await writer.drain()
            continue
        for piece in _answer(asked.id, asked.message["params"]["arguments"]):
            writer.write(piece)
            await writer.drain()
            found.sent += len(piece)
        await writer.drain()
        writer.write_eof()
        await reader.read()
        return


def _listed(asked: Asked) -> bytes:
    if asked.method == "tools/call":
        return b""
    name, _, listing = asked.method.partition("/")
    if listing != "list":
        return plain(b"no", status=b"404 Not Found")
    more = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
    return result(asked, {name: [_TOOL] if name == "tools" else [], **more})


def _answer(id_: bytes, given: dict[str, Any]) -> Iterator[bytes]:
    way, cut = given.get("way", "length"), given.get("cut", 0)
    pieces = [*_message(id_, given, late=way == "late")]
    if cut:
        pieces[-1] = pieces[-1][:-cut]
    length = sum(map(len, pieces)) + cut
    if way in ("events", "lines"):
        yield b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
        yield b"data: "
        yield from (piece + b"\ndata: " if way == "lines" else piece for piece in pieces)
        yield b"" if cut else b"\n\n"
        return
    framing = b"transfer-encoding: chunked" if way == "chunked" else b"content-length: %d" % length
    yield b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n%b\r\n\r\n" % framing
    for piece in pieces:
        yield b"%x\r\n%b\r\n" % (len(piece), piece) if way == "chunked" else piece
    yield b"0\r\n\r\n" if way == "chunked" and not cut else b""


def _message(id_: bytes, given: dict[str, Any], *, late: bool) -> Iterator[bytes]:
    """Parts between which a line may end: only outside of a text."""
    own, more = b'"id":%b' % id_, given.get("member", "").encode()
    yield b'{"jsonrpc":"2.0",%b"result":{"content":[' % (b"" if late else own + b",")
    for _ in range(given["size"] // len(_PIECE)):
        yield b'{"type":"text","text":"%b"},' % _PIECE
    yield b'{"type":"text","text":"end"}],"_meta":{"of":"upstream"}%b}' % (
        b"," + more if more else b""
    )
    yield b",%b}" % own if late else b"}"
