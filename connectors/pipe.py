"""JSON-RPC over a child's standard streams, a message a line."""

import asyncio
from typing import Final

from connectors import abilities, answers, eras, requests
from connectors.child import PATIENCE, Child
from connectors.duplex import Announce, Duplex
from connectors.heard import Said
from mcp_gateway.core.asking import NOT_OFFERED, Offered
from mcp_gateway.core.credential import Credential
from mcp_gateway.core.errors import ResultTooLarge, UpstreamFailed
from mcp_gateway.wire import jsonrpc, legacy

UNSENT: Final = 16 * 1024 * 1024
"""Bytes that wait for a child that does not read, before it is sent no more requests."""
UNANSWERED: Final = 1024 * 1024
"""The same, before what it asks itself is no longer answered."""

TOO_LONG: Final = "wrote a line that is too long"


class Pipe:
    """The channel of a duplex that is shared by every call."""

    def __init__(self, name: str, child: Child, announce: Announce) -> None:
        self._name = name
        self._child = child
        self.duplex = Duplex(name, self, announce)
        self.offered: Offered = NOT_OFFERED
        # Kept here and ended in aclose: it lives exactly as long as the pipe.
        self._reading = asyncio.get_running_loop().create_task(self._read())

    @property
    def open(self) -> bool:
        return self._child.alive and not self.duplex.failed

    @property
    def modern(self) -> bool:
        return self.offered.era == "modern"

    async def agree(self, timeout: float) -> None:
        """Finds out what the child speaks. Raises UpstreamFailed, UpstreamTimedOut.

        The initialize era is asked for first: some servers of it hang on anything else, and
        those that speak both answer it. It is told that everything can be answered, since it
        serves everybody: what a caller cannot answer is answered for them.
        """
        declared = abilities.encoded(abilities.ALL)
        params = legacy.initialize_params(requests.CLIENT, capabilities=declared)
        answer = await self.duplex.ask("initialize", params, timeout)
        if answer.error:
            self.offered = await self._discover(answer, timeout)
            return
        _, self.offered = eras.taken_part(self._name, answer)
        self.duplex.asks = True
        self.duplex.logs = "logging" in (self.offered.capabilities or ())
        self.say(jsonrpc.notification("notifications/initialized", b"{}"))

    async def aclose(self) -> None:
        """Ends the child. May be called again."""
        self._reading.cancel()
        await self._child.aclose()
        self.duplex.lost(UpstreamFailed(f"{self._name} {self._child.end}"))

    async def _discover(self, refused: jsonrpc.Message, timeout: float) -> Offered:
        """What a server says of itself that speaks 2026-07-28 alone."""
        params = b'{"_meta":%b}' % requests.own_meta()
        answer = await self.duplex.ask("server/discover", params, timeout)
        found = None if answer.error else eras.discovered(answer)
        if found:
            return found.offered
        raise UpstreamFailed(f"{self._name} does not take part: {answers.said(refused.error)}")

    # what leaves

    async def deliver(self, message: bytes, credential: Credential) -> None:  # noqa: ARG002
        spoken = self._child.streams.spoken
        if spoken is None or spoken.is_closing():
            raise UpstreamFailed(f"{self._name} takes no more requests")
        if spoken.get_write_buffer_size() > UNSENT:
            raise UpstreamFailed(f"{self._name} does not read what it is sent")
        spoken.write(message + b"\n")

    def say(self, message: bytes) -> None:
        """What nobody waits for is not worth any memory."""
        spoken = self._child.streams.spoken
        if spoken and not spoken.is_closing() and spoken.get_write_buffer_size() <= UNANSWERED:
            spoken.write(message + b"\n")

    # what comes

    async def _read(self) -> None:
        self._child.on_end(self._ended)
        try:
            await self._listen()
        except ValueError:
            self.duplex.lost(ResultTooLarge(f"{self._name} {TOO_LONG}"))
            await self._child.aclose(f"{TOO_LONG} and was stopped")
        else:
            if not await self._child.gone_within(PATIENCE):
                await self._child.aclose("closed its standard output and was stopped")
            self.duplex.lost(self._why())
        finally:
            self._child.streams.close()

    async def _listen(self) -> None:
        """To the end of what it says. Raises ValueError for a line that is too long."""
        heard = self._child.streams.heard
        while heard and (line := await heard.readline()):
            self._take(line.strip())

    def _ended(self) -> None:
        """What it wrote before its end is still to be read, unless somebody holds the pipe open."""
        asyncio.get_running_loop().call_later(PATIENCE, self._let_go)

    def _let_go(self) -> None:
        self._child.streams.close()
        self.duplex.lost(self._why())

    def _why(self) -> UpstreamFailed:
        return UpstreamFailed(f"{self._name} {self._child.end}", detail=str(self._child.words))

    def _take(self, line: bytes) -> None:
        try:
            said = Said(jsonrpc.parse(line), line)
        except jsonrpc.Malformed:
            self._child.words.feed(line + b"\n")
        else:
            self.duplex.take(said)
