"""A server of plain bytes: what it answers to a request need not be HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


@asynccontextmanager
async def raw_server(
    answer: Callable[[bytes], bytes],
) -> AsyncIterator[tuple[str, list[int]]]:
    """Yields its URL, and a list with an item for each connection that was opened.

    A request is read up to its content-length. An empty answer keeps the caller waiting; one
    without a whole message is followed by the end of the connection.
    """
    opened: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(len(opened))
        try:
            while request := await _request(reader):
                if said := answer(request):
                    writer.write(said)
                    if b"short" in said:
                        break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"http://127.0.0.1:{port}/", opened


NOTHING_TO_SAY = b"HTTP/1.1 204 No Content\r\n\r\n"


@asynccontextmanager
async def listening() -> AsyncIterator[str]:
    """Yields the URL of a server that is there, and has nothing to say."""
    async with raw_server(lambda _: NOTHING_TO_SAY) as (url, _):
        yield url


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    lengths = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
    return head + await reader.readexactly(lengths[0] if lengths else 0)
