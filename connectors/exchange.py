"""One request at an upstream that may ask before it answers, from its first word to its last."""

from collections.abc import Callable
from typing import Protocol

from connectors import asked_back, dialect, levels, parked, progress
from connectors.abilities import Abilities
from connectors.heard import Said
from connectors.reading import Unheld
from mcp_gateway.core.asking import Asked, Fate, Question
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Credential
from mcp_gateway.core.errors import QuestionExpired, UpstreamFailed
from mcp_gateway.wire import jsonrpc


class Line(Protocol):
    """Where what an upstream says about one request comes from, and where it is answered."""

    @property
    def id(self) -> bytes: ...

    @property
    def fate(self) -> Fate:
        """What has become of the question that is parked."""
        ...

    async def decided(self) -> Fate:
        """Waits until it is open no more."""
        ...

    async def next(self, idle: float) -> Said:
        """Raises UpstreamFailed, UpstreamTimedOut after `idle` quiet seconds, ResultTooLarge."""
        ...

    def park(self, question: bytes) -> None:
        """Keeps what comes: nobody reads until the question with this id has been answered."""
        ...

    async def reply(self, message: bytes, credential: Credential) -> None:
        """Carries an answer to what was asked. Raises as `next`, and CredentialRefused."""
        ...

    async def say(self, message: bytes, credential: Credential) -> None:
        """The same for an answer that is no matter to the call if it is not taken."""
        ...

    def announce(self, message: jsonrpc.Message) -> None:
        """Hears what is about no request: that something of the upstream's has changed."""
        ...

    async def cancel(self) -> None:
        """Tells the upstream that nobody waits for its answer, within a bound."""
        ...

    def leave(self) -> None:
        """The request is over. May be called again."""
        ...


Settle = Callable[[Call, jsonrpc.Message], Result]
"""What the answer is for a call."""
PassOn = Callable[[Call, bytes, Unheld], Result]
"""The same of an answer that is too large to be held; the bytes are the id of the request."""


class Exchange:
    """`able`: which questions the caller can be asked. `idle`: seconds between two words."""

    def __init__(
        self,
        server: str,
        line: Line,
        settle: Settle,
        *,
        able: Abilities,
        idle: float,
        pass_on: PassOn | None = None,
    ) -> None:
        self.server = server
        self.line = line
        self._settle = settle
        self._pass_on = pass_on
        self._able = able
        self._idle = idle
        self._asked = 0

    async def answered(self, call: Call, reply: bytes = b"") -> Result:
        """The answer, or a result that asks what the upstream wants to know before it.

        `reply` answers what was asked last. Raises as `ports.Connector.send` does; then the
        request is over.
        """
        try:
            if reply:
                await self.line.reply(reply, call.credential)
            return await self._read(call)
        except Unheld as unheld:
            if self._pass_on is None:
                await self.abandon()
                raise
            result = self._pass_on(call, self.line.id, unheld)
            self.line.leave()
            return result
        except (UpstreamFailed, QuestionExpired):
            self.line.leave()
            raise
        except BaseException:  # nobody waits for the upstream, which does not know it
            await self.abandon()
            raise

    async def abandon(self) -> None:
        """Cancels the request at the upstream."""
        try:
            await self.line.cancel()
        finally:
            self.line.leave()

    def asking(self, key: str, id_: bytes, question: Question) -> Result:
        """A result that asks; the request is parked at its question."""
        waiting = parked.Parked(self, key, id_, question)
        return dialect.asking(key, question, Asked({key: question}, parked=waiting))

    async def _read(self, call: Call) -> Result:
        while True:
            said = await self.line.next(self._idle)
            message = said.message
            if not message.method:
                self.line.leave()
                return self._settle(call, message)
            if not message.id:
                await self._aside(call, said)
            elif reply := asked_back.reply(message, self._able):
                await self.line.say(reply, call.credential)
            else:
                return self._asks(message)

    def _asks(self, message: jsonrpc.Message) -> Result:
        self._asked += 1
        key = dialect.key_of(message.method, self._asked)
        self.line.park(message.id)
        return self.asking(key, message.id, dialect.question(message))

    async def _aside(self, call: Call, said: Said) -> None:
        """Of other requests than this one its caller hears nothing, nor of what is for nobody."""
        message = said.message
        if message.method == progress.METHOD:
            token = progress.token_of(call.outgoing.raw)
            if token and progress.about(message.params.raw) == self.line.id:
                await call.notify(progress.returned(message.params.raw, token))
        elif message.method == levels.METHOD:
            if levels.heard(call, message.params):
                await call.notify(jsonrpc.body(said.raw))
        elif message.method in dialect.ANNOUNCED:
            self.line.announce(message)
        elif message.method not in dialect.UNTOLD:
            await call.notify(jsonrpc.body(said.raw))
