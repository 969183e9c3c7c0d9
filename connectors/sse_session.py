"""One session over HTTP+SSE (2024-11-05): a stream of what is said, and an address to answer to."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

from connectors import abilities, dialect, eras, requests
from connectors.abilities import Abilities
from connectors.duplex import Announce, Duplex
from connectors.endpoint import BOUND, Endpoint
from connectors.reading import Reading
from connectors.urls import within
from mcp_gateway.core.asking import NOT_OFFERED, Offered
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Credential, CredentialRefused
from mcp_gateway.core.errors import Refusal, UpstreamFailed, UpstreamTimedOut
from mcp_gateway.wire import jsonrpc, legacy

QUIET: Final = 86_400.0
"""Seconds without a byte after which a stream is taken to be dead."""
SAYING: Final = 64
"""Messages on their way for which nobody waits; of more the newest are dropped."""
LISTENING: Final = (("accept", "text/event-stream"),)
POSTING: Final = (("content-type", "application/json"), ("accept", eras.EVENT_STREAM))


class SseSession:
    """Everything that is said comes on one stream, so a question is only told by its being alone.

    `announce` hears what is about no request, `gone` is called when the stream has ended.
    """

    def __init__(
        self,
        stream: Endpoint,
        credential: Credential,
        able: Abilities,
        announce: Announce,
        gone: Callable[[], None],
    ) -> None:
        self.used = 0.0
        self.offered: Offered = NOT_OFFERED
        self.duplex = Duplex(stream.server, self, announce)
        self._stream = stream
        self._post = stream
        self._credential = credential
        self._able = able
        self._gone = gone
        self._saying: set[asyncio.Task[None]] = set()
        self._reading: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        return self.duplex.busy

    @property
    def open(self) -> bool:
        return not self.duplex.failed

    async def begun(self) -> Self:
        """Connects and takes part.

        Raises UpstreamFailed, UpstreamTimedOut, ResultTooLarge, CredentialRefused.
        """
        try:
            await self._connected()
            await self._agreed()
        except BaseException:
            await self.end()
            raise
        return self

    async def send(self, call: Call) -> Result:
        """Raises as `ports.Connector.send`."""
        params, idle = requests.legacy_params(call), self._stream.timeout
        try:
            return await self.duplex.send(call, params, self._settle, able=self._able, idle=idle)
        except UpstreamTimedOut:
            await self._looked_at()
            raise

    async def end(self) -> None:
        if self._reading:
            self._reading.cancel()
        for saying in self._saying:
            saying.cancel()
        self.duplex.lost(UpstreamFailed(f"{self._stream.server}: the session was ended"))

    # the channel of the duplex

    async def deliver(self, message: bytes, credential: Credential) -> None:
        """Raises UpstreamFailed, UpstreamTimedOut, CredentialRefused."""
        response = await self._post.send("POST", POSTING, message, credential)
        response.close()
        if response.status >= 300:
            failure = UpstreamFailed(f"{self._stream.server} took no message: {response.status}")
            if response.status in eras.STALE:
                self.duplex.lost(failure)
            raise failure

    def say(self, message: bytes) -> None:
        """It leaves by itself, if not too much is leaving already."""
        if len(self._saying) < SAYING:
            saying = asyncio.get_running_loop().create_task(
                self._post.say(POSTING, message, self._credential)
            )
            self._saying.add(saying)
            saying.add_done_callback(self._saying.discard)

    # its life

    async def _connected(self) -> None:
        server, timeout = self._stream.server, self._stream.timeout
        response = await self._stream.send("GET", LISTENING, b"", self._credential)
        if not response.streaming:
            raise UpstreamFailed(f"{server} answered {response.status} and no event stream")
        reading = Reading(server, response)
        try:
            event = await reading.event(timeout)
            if event.event != "endpoint":
                raise ValueError("its stream does not begin with an address")
            url = within(self._stream.url, event.data.decode("ascii"))
        except ValueError as error:
            reading.leave()
            raise UpstreamFailed(f"{server}: {error}") from None
        except BaseException:
            reading.leave()
            raise
        self._post = self._stream.at(url)
        # Kept here, and ended in end: it lives exactly as long as the session.
        self._reading = asyncio.get_running_loop().create_task(self._read(reading))

    async def _agreed(self) -> None:
        """Begins as a client that can answer what this session is for."""
        server, timeout, credential = self._stream.server, self._stream.timeout, self._credential
        declared = abilities.encoded(self._able)
        params = legacy.initialize_params(requests.CLIENT, capabilities=declared)
        answer = await self.duplex.ask("initialize", params, timeout, credential)
        _, self.offered = eras.taken_part(server, answer)
        self.duplex.asks = True
        self.duplex.logs = "logging" in (self.offered.capabilities or ())
        note = jsonrpc.notification("notifications/initialized", b"{}")
        await self.deliver(note, credential)

    async def _looked_at(self) -> None:
        """After a call without an answer: whether anybody is there at all."""
        with suppress(CredentialRefused):
            try:
                await self.duplex.ask("ping", b"{}", BOUND, self._credential)
            except Refusal as failure:
                self.duplex.lost(failure)

    def _settle(self, call: Call, answer: jsonrpc.Message) -> Result:
        return dialect.result(self._stream.server, call.method, answer)

    async def _read(self, reading: Reading) -> None:
        try:
            while True:
                self.duplex.take(await reading.next(QUIET))
        except Refusal as failure:
            self.duplex.lost(failure)
            self._gone()
        finally:
            reading.leave()
