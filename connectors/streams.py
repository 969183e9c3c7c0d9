"""The pipes between the gateway and a child, each with an end that can be let go of at any time."""

import asyncio
import os
from asyncio.subprocess import DEVNULL
from dataclasses import dataclass
from typing import Final

WORDS: Final = 64 * 1024
"""Bytes of last words that wait to be read."""


class _Mouth(asyncio.BaseProtocol):
    """A pipe that is written to. What there is to know of it, its transport says."""


@dataclass(slots=True)
class Streams:
    """The gateway's ends. `spoken` and `heard` are None for a child that nobody speaks to."""

    words: asyncio.StreamReader
    spoken: asyncio.WriteTransport | None
    heard: asyncio.StreamReader | None
    _ear: asyncio.BaseTransport
    _open: list[asyncio.BaseTransport]

    def hush(self) -> None:
        """Listens to no more last words, whoever may hold their pipe open."""
        self._ear.close()

    def close(self) -> None:
        """Lets go of all of them."""
        for transport in (self._ear, *self._open):
            transport.close()


class Ends:
    """The child's ends, as numbers to start it with, and the gateway's, until they are opened."""

    def __init__(self, *, piped: bool) -> None:
        self._ours: list[int] = []
        self._theirs: list[int] = []
        self._piped = piped
        try:
            self.stderr = self._reading()
            self.stdin = self._writing() if piped else DEVNULL
            self.stdout = self._reading() if piped else self.stderr
        except BaseException:
            self.close()
            raise

    async def opened(self, limit: int) -> Streams:
        """The gateway's ends; `limit` bounds a line of what is heard."""
        words, ear = await _read(self._ours.pop(0), WORDS)
        if not self._piped:
            return Streams(words, None, None, ear, [])
        loop = asyncio.get_running_loop()
        pipe = os.fdopen(self._ours.pop(0), "wb", 0)
        spoken, _ = await loop.connect_write_pipe(_Mouth, pipe)
        heard, other = await _read(self._ours.pop(0), limit)
        return Streams(words, spoken, heard, ear, [spoken, other])

    def given(self) -> None:
        """The child has its ends: as long as they were open here, none would ever end."""
        while self._theirs:
            os.close(self._theirs.pop())

    def close(self) -> None:
        self.given()
        while self._ours:
            os.close(self._ours.pop())

    def _reading(self) -> int:
        ours, theirs = os.pipe()
        self._ours.append(ours)
        self._theirs.append(theirs)
        return theirs

    def _writing(self) -> int:
        theirs, ours = os.pipe()
        self._ours.append(ours)
        self._theirs.append(theirs)
        return theirs


async def _read(number: int, limit: int) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    reader = asyncio.StreamReader(limit=limit)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(number, "rb", 0)
    )
    return reader, transport
