"""A little forward proxy: CONNECT, and http in absolute form. It has its own table of names."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.support.tcp import Server, read_request, tcp_server


@asynccontextmanager
async def connect_proxy(
    names: Mapping[str, int], *, authorization: str = "", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """`names` are the hosts that it knows, each a port of this machine.

    `heads` are the requests for tunnels, and the forwarded ones. Others get 502, callers
    without this `authorization` 407.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await read_request(reader)
            found.heads.append(request)
            method, target, _ = request.split(b" ", 2)
            if authorization and f"proxy-authorization: {authorization}".encode() not in request:
                writer.write(b"HTTP/1.1 407 Who Are You\r\ncontent-length: 0\r\n\r\n")
                continue
            port = names.get(_host(method, target.decode()))
            if port is None:
                writer.write(b"HTTP/1.1 502 Not Known\r\ncontent-length: 0\r\n\r\n")
                continue
            there_reader, there = await asyncio.open_connection("127.0.0.1", port)
            try:
                if method == b"CONNECT":
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    there.write(_origin_form(request))
                await _both_ways(reader, writer, there_reader, there)
            finally:
                there.close()
            return

    async with tcp_server(serve, tls) as found:
        yield found


def _host(method: bytes, target: str) -> str:
    if method == b"CONNECT":
        return target.rpartition(":")[0].strip("[]")
    return urlsplit(target).hostname or ""


def _origin_form(request: bytes) -> bytes:
    """The request as its origin expects it, without what was the proxy's."""
    head, end, body = request.partition(b"\r\n\r\n")
    line, *headers = head.split(b"\r\n")
    method, target, version = line.split(b" ")
    path = urlsplit(target.decode()).path.encode()
    kept = [line for line in headers if not line.lower().startswith(b"proxy-")]
    return b"\r\n".join([b" ".join((method, path, version)), *kept]) + end + body


async def _both_ways(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    there_reader: asyncio.StreamReader,
    there: asyncio.StreamWriter,
) -> None:
    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.close()

    await asyncio.gather(pump(reader, there), pump(there_reader, writer))
