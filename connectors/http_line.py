"""One request in a session over Streamable HTTP: its own stream, and POSTs of what is answered."""

from collections.abc import Callable
from typing import Protocol

from connectors import ahead, asked_back, eras
from connectors.ahead import Ahead
from connectors.endpoint import Endpoint, Headers
from connectors.heard import Said
from connectors.parked import EXPIRED
from connectors.reading import Reading
from mcp_gateway.core.asking import Fate
from mcp_gateway.core.credential import Credential
from mcp_gateway.core.errors import QuestionExpired, UpstreamFailed
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.connection import Response


class Around(Protocol):
    """The session that a request is of. `watched`: whether the upstream may ask beside answers."""

    endpoint: Endpoint
    announce: Callable[[jsonrpc.Message], None]

    @property
    def headers(self) -> Headers: ...

    @property
    def listening(self) -> Headers:
        """What a GET carries."""
        ...

    @property
    def watched(self) -> bool: ...

    def left(self, line: "HttpLine") -> None: ...


class HttpLine:
    """Implements `exchange.Line`. `asks`: whether its upstream may ask before it answers.

    `early` is what was asked beside the stream before there was one. The stream is read as it is
    asked for, until the request is parked; from the start by itself where a question may come
    from beside it.
    """

    __slots__ = ("_credential", "_reading", "_session", "asks", "early", "id")

    def __init__(self, session: Around, id_: bytes, credential: Credential, *, asks: bool) -> None:
        self.id = id_
        self.asks = asks
        self._session = session
        self._credential = credential
        self.early: list[Said] = []
        self._reading: Reading | Ahead | None = None

    @property
    def fate(self) -> Fate:
        return self._ahead().fate

    @property
    def over(self) -> bool:
        """Whether its upstream has answered, or cannot."""
        return isinstance(self._reading, Ahead) and self._reading.over

    def opened(self, response: Response, held: int = 0) -> None:
        """Its stream is there. `held`: bytes of an event that is not refused, but passed on."""
        server = self._session.endpoint.server
        self._reading = Reading(server, response, self._reopened, held=held)
        if self._session.watched and self.asks:
            self._ahead()

    def asked(self, said: Said) -> bool:
        """A question from beside the stream; whether there is room for it."""
        if isinstance(self._reading, Ahead):
            return self._reading.asked(said)
        if self.early:
            return False
        self.early.append(said)
        return True

    def noted(self, said: Said) -> None:
        """A message from beside the stream."""
        if isinstance(self._reading, Ahead):
            self._reading.noted(said)

    def withdrawn(self, question: bytes) -> None:
        """The upstream does not ask this any more."""
        if isinstance(self._reading, Ahead):
            self._reading.withdrawn(question)
        self.early = [said for said in self.early if said.message.id != question]

    async def next(self, idle: float) -> Said:
        while True:
            said = await self._stream().next(idle)
            if said.message.method or said.message.id == self.id:
                return said

    def park(self, question: bytes) -> None:
        self._ahead().park(question)

    async def decided(self) -> Fate:
        return await self._ahead().decided()

    async def reply(self, message: bytes, credential: Credential) -> None:
        session = self._session
        self._credential = credential
        response = await session.endpoint.send("POST", session.headers, message, credential)
        response.close()
        if response.status in eras.STALE:
            raise QuestionExpired(EXPIRED)
        if response.status >= 300:
            raise UpstreamFailed(f"{session.endpoint.server} took no answer: {response.status}")

    async def say(self, message: bytes, credential: Credential) -> None:
        await self._session.endpoint.say(self._session.headers, message, credential)

    def announce(self, message: jsonrpc.Message) -> None:
        self._session.announce(message)

    async def cancel(self) -> None:
        note = jsonrpc.notification(ahead.CANCELLED, b'{"requestId":%b}' % self.id)
        await self._session.endpoint.said(self._session.headers, note, self._credential)

    async def unasked(self) -> None:
        """The answer came without a stream: what was asked for it cannot be answered any more."""
        for said in self.early:
            await self.say(asked_back.unclear(said.message), self._credential)

    def leave(self) -> None:
        self._session.left(self)
        if self._reading:
            self._reading.leave()

    def _stream(self) -> Reading | Ahead:
        if self._reading is None:
            raise UpstreamFailed(f"{self._session.endpoint.server} has not begun to answer")
        return self._reading

    def _ahead(self) -> Ahead:
        """From here on the stream is read by itself."""
        reading = self._stream()
        if isinstance(reading, Ahead):
            return reading
        made = Ahead(self._session.endpoint.server, reading, self.id, self._pong)
        for said in self.early:
            made.asked(said)
        self._reading, self.early = made, []
        return made

    async def _reopened(self, last: str) -> Response:
        session = self._session
        headers = [*session.listening, ("last-event-id", last)]
        return await session.endpoint.send("GET", headers, b"", self._credential)

    async def _pong(self, said: Said) -> None:
        await self.say(jsonrpc.result(said.message.id, b"{}"), self._credential)
