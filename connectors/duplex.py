"""Duplex: many requests at once over one channel, where an answer alone says whose it is."""

import asyncio
import copy
import itertools
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from connectors import ahead, asked_back, dialect, levels, progress
from connectors.abilities import ALL, NONE, Abilities
from connectors.exchange import Exchange, Settle
from connectors.heard import Heard, Said
from mcp_gateway.core.asking import ASKING
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import NONE as NO_CREDENTIAL
from mcp_gateway.core.credential import Credential, CredentialRefused
from mcp_gateway.core.errors import Refusal, UpstreamTimedOut
from mcp_gateway.wire import jsonrpc

SETTING: Final = 5.0
"""Seconds that an upstream has to set its level of logging."""


Announce = Callable[[jsonrpc.Message], None]


class Channel(Protocol):
    """What carries messages to an upstream."""

    async def deliver(self, message: bytes, credential: Credential) -> None:
        """Raises UpstreamFailed, UpstreamTimedOut, CredentialRefused."""
        ...

    def say(self, message: bytes) -> None:
        """Sends what nobody waits for: it is no matter to anybody if it fails."""
        ...


class Line(Heard):
    """One request under way; implements `exchange.Line`.

    `asks`: whether its upstream may ask something before it answers.
    """

    def __init__(self, duplex: "Duplex", server: str, id_: bytes, *, asks: bool) -> None:
        super().__init__(server)
        self.id = id_
        self.asks = asks
        self._duplex = duplex

    async def reply(self, message: bytes, credential: Credential) -> None:
        await self._duplex.channel.deliver(message, credential)

    async def say(self, message: bytes, credential: Credential) -> None:  # noqa: ARG002
        self._duplex.channel.say(message)

    def announce(self, message: jsonrpc.Message) -> None:
        self._duplex.announce(message)

    async def cancel(self) -> None:
        note = b'{"requestId":%b}' % self.id
        self._duplex.channel.say(jsonrpc.notification(ahead.CANCELLED, note))

    def leave(self) -> None:
        self._duplex.left(self.id)


class Duplex:
    """Ids and progress tokens are the gateway's own: the channel is shared by every caller.

    `announce` hears what is about no request.
    """

    def __init__(self, server: str, channel: Channel, announce: Announce) -> None:
        self._server = server
        self.channel = channel
        self.announce = announce
        self._ids = itertools.count(1)
        self._pending: dict[bytes, Line] = {}
        self._failure: Refusal | None = None
        self._levels = levels.Levels(self._set_level)
        self.ended = asyncio.Event()
        self.attended = False
        """Whether somebody waits for what the upstream says by itself."""
        self.asks = False
        """Whether the upstream is of an era in which it may ask by itself."""
        self.logs = False
        """Whether it can be told which log messages are wanted."""

    @property
    def failed(self) -> bool:
        return self._failure is not None

    @property
    def busy(self) -> bool:
        return bool(self._pending) or self.attended

    async def ask(
        self, method: str, params: bytes, timeout: float, credential: Credential = NO_CREDENTIAL
    ) -> jsonrpc.Message:
        """A request of the gateway's own. Raises as `Channel.deliver`, and ResultTooLarge."""
        line = self._line(asks=False)
        try:
            await self._sent(line, method, params, credential)
            while (said := await line.next(timeout)).message.method:
                continue
        except (asyncio.CancelledError, UpstreamTimedOut):
            await line.cancel()
            raise
        finally:
            line.leave()
        return said.message

    async def send(
        self, call: Call, params: bytes, settle: Settle, *, able: Abilities, idle: float
    ) -> Result:
        """A caller's request. Raises as `ports.Connector.send`."""
        asks = self.asks and call.method in ASKING
        if self.logs and (rank := levels.wanted(call)) < levels.OFF:
            await self._levels.lowered(rank)
        line = self._line(asks=asks)
        try:
            await self._sent(line, call.method, params, call.credential)
        except BaseException:
            line.leave()
            raise
        return await Exchange(self._server, line, settle, able=able, idle=idle).answered(call)

    def left(self, id_: bytes) -> None:
        """Forgets a request."""
        self._pending.pop(id_, None)

    def lost(self, failure: Refusal) -> None:
        """Nobody is there any more. The first reason counts."""
        self._failure = self._failure or failure
        self.ended.set()
        for line in self._pending.values():
            line.ended(failure)

    def take(self, said: Said) -> None:
        """Gives a message to whom it is for; never waits."""
        message = said.message
        if not message.method:
            # Who has answered asks nothing more, though its answer may wait to be taken.
            if line := self._pending.pop(message.id, None):
                line.ended(said)
        elif message.id:
            self._asked(said)
        else:
            self._noted(said)

    def _noted(self, said: Said) -> None:
        message = said.message
        if message.method == progress.METHOD:
            if line := self._pending.get(progress.about(message.params.raw)):
                line.note(said)
        elif message.method in dialect.ANNOUNCED:
            self.announce(message)
        elif message.method == ahead.CANCELLED:
            for line in self._pending.values():
                line.withdrawn(ahead.withdrawn(message))
        elif message.method == levels.METHOD and len(self._pending) == 1:
            # Of several nobody could tell whose it is, and each may be another's.
            next(iter(self._pending.values())).note(said)

    def _asked(self, said: Said) -> None:
        """A question is that of the one call that may ask: of several it might be another's."""
        reply = asked_back.reply(said.message, ALL if self.asks else NONE)
        if reply is None:
            asking = [line for line in self._pending.values() if line.asks]
            if len(asking) == 1 and asking[0].asked(said):
                return
            reply = asked_back.unclear(said.message)
        self.channel.say(reply)

    def _line(self, *, asks: bool) -> Line:
        if self._failure:
            raise copy.copy(self._failure)
        id_ = b"%d" % next(self._ids)
        line = self._pending[id_] = Line(self, self._server, id_, asks=asks)
        return line

    async def _sent(self, line: Line, method: str, params: bytes, credential: Credential) -> None:
        own = progress.renumbered(params, line.id)
        await self.channel.deliver(jsonrpc.request(line.id, method, own), credential)

    async def _set_level(self, params: bytes) -> None:
        """An upstream that does not take it goes on as it was."""
        with suppress(Refusal, CredentialRefused):
            await self.ask("logging/setLevel", params, SETTING)
