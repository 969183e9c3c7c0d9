"""A caller that says any bytes, and reads every answer that they get."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import httptools

BOUND: Final = 20.0
LAST: Final = b"GET /healthz HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n"


@dataclass
class Heard:
    """The answers in their order."""

    statuses: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)


class _Answers:
    """Reads one answer after the other."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._body = b""
        self.parser = httptools.HttpResponseParser(self)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._heard.statuses.append(self.parser.get_status_code())
        self._heard.bodies.append(self._body)
        self._body = b""


async def say(host: str, raw: bytes, quiet: float = BOUND) -> Heard:
    """Says the bytes on a new connection, then asks for `/healthz`, and hears all answers.

    That is over when the connection ends, or after so many seconds without a word. Raises
    HttpParserError for what is no sound answer.
    """
    name, _, port = host.partition(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    heard = Heard()
    answers = _Answers(heard)
    try:
        writer.write(raw + LAST % host.encode())
        with suppress(TimeoutError, ConnectionError):
            while data := await asyncio.wait_for(reader.read(65_536), quiet):
                answers.parser.feed_data(data)
    finally:
        writer.transport.abort()
    return heard
