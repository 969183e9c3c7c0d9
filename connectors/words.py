"""LastWords: the end of what a child said on its standard error, for whoever asks why it died."""

import asyncio
import logging
import re
from collections import deque
from collections.abc import Iterable
from typing import Final

LINES: Final = 20
LINE: Final = 300
"""Characters of a line that are kept."""
READ: Final = 4096
"""Bytes of a line that are read; what follows up to its end is dropped."""
RATE: Final = 256 * 1024
"""Bytes a second. A child that says more has to wait."""
SHORTEST: Final = 6
"""Characters of a value that may be a secret: shorter ones occur in any text."""
HIDDEN: Final = "[hidden]"

log = logging.getLogger(__name__)


class LastWords:
    """Keeps the last lines, and passes each to the log at debug level.

    `secrets` are values that the child knows: none of them is ever kept or logged as it is.
    """

    def __init__(self, server: str, secrets: Iterable[str] = ()) -> None:
        self._server = server
        self._secrets = _pattern(secrets)
        self._lines: deque[str] = deque(maxlen=LINES)
        self._rest = b""
        self._dropping = False

    def __str__(self) -> str:
        return "\n".join(self._lines)

    def feed(self, chunk: bytes) -> None:
        """The next bytes, cut anywhere."""
        *lines, rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._line(line)
            self._dropping = False
        if len(rest) > READ:
            self._line(rest)
            self._dropping, rest = True, b""
        self._rest = b"" if self._dropping else rest

    def end(self) -> None:
        """Takes what is left as a line."""
        self._line(self._rest)
        self._rest = b""

    def _line(self, line: bytes) -> None:
        if self._dropping:
            return
        text = line[:READ].decode("utf-8", "replace")
        text = self._secrets.sub(HIDDEN, text) if self._secrets else text
        said = "".join(c if c.isprintable() else " " for c in text).strip()[:LINE]
        if said:
            self._lines.append(said)
            log.debug("%s: %s", self._server, said)


async def drain(reader: asyncio.StreamReader, words: LastWords) -> None:
    """Reads to the end, at no more than RATE: nobody has to answer a child that only shouts."""
    loop = asyncio.get_running_loop()
    while chunk := await reader.read(READ):
        started = loop.time()
        words.feed(chunk)
        await asyncio.sleep(max(0.0, started + len(chunk) / RATE - loop.time()))
    words.end()


def _pattern(secrets: Iterable[str]) -> re.Pattern[str] | None:
    """The longest first: one may begin with another. Of a value of many lines each is a secret."""
    parts = {line for secret in secrets for line in secret.splitlines() if len(line) >= SHORTEST}
    if not parts:
        return None
    return re.compile("|".join(re.escape(part) for part in sorted(parts, key=len, reverse=True)))
