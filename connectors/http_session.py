"""One session with an upstream of the initialize era over Streamable HTTP."""

import asyncio
import itertools
from contextlib import suppress
from typing import Final

from connectors import answers, asked_back, attending, dialect, eras, levels, progress, requests
from connectors.abilities import Abilities
from connectors.ahead import CANCELLED, withdrawn
from connectors.beside import Beside
from connectors.duplex import Announce
from connectors.endpoint import Endpoint
from connectors.exchange import Exchange
from connectors.heard import Said
from connectors.http_line import HttpLine
from connectors.reading import Unheld
from mcp_gateway.core.asking import ASKING
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Credential, CredentialRefused
from mcp_gateway.core.errors import Refusal
from mcp_gateway.wire import jsonrpc, legacy
from mcp_gateway.wire.connection import Response

SAYING: Final = 64
"""Answers on their way for which nobody waits; of more the newest are dropped."""


class HttpSession:
    """Requests at once each have a stream of their own, so each question there is some call's.

    Of what is asked beside them, on the stream of the session, only its being alone tells.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        ids: "itertools.count[int]",
        spoken: eras.Spoken,
        credential: Credential,
        able: Abilities,
        announce: Announce,
    ) -> None:
        self.era = "legacy"
        self.offered = spoken.offered
        self.open = True
        self.used = 0.0
        self.endpoint = endpoint
        self.headers = eras.headers(spoken.session)
        self.listening = [("accept", "text/event-stream"), *spoken.session]
        self._ids = ids
        self._session = spoken.session
        self._named = any(name == legacy.SESSION for name, _ in spoken.session)
        self._credential = credential
        self._able = able
        self.announce = announce
        self._lines: set[HttpLine] = set()
        self._attended = 0
        self._beside: Beside | None = None
        logs = "logging" in spoken.declared
        self._levels = levels.Levels(self._set_level) if logs else None
        self._saying: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        return bool(self._lines) or self._attended > 0

    @property
    def watched(self) -> bool:
        return self._beside is not None and self._beside.open

    async def begun(self) -> None:
        """Listens to what it may ask beside its answers, where there is somebody to ask."""
        if self._named and self._able:
            self._beside = Beside(self.endpoint.server, self._listened, self._take)
            await self._beside.begun()

    async def end(self) -> None:
        """Ends it at the upstream too, where it has a name."""
        self.open = False
        if self._beside:
            self._beside.leave()
        for saying in self._saying:
            saying.cancel()
        for line in list(self._lines):
            line.leave()
        if self._named:
            await self.endpoint.say(self.headers, b"", self._credential, method="DELETE")

    def left(self, line: HttpLine) -> None:
        self._lines.discard(line)

    # requests

    async def send(self, call: Call, *, again: bool = False) -> Result:
        """Raises as `ports.Connector.send`, and `eras.Outdated` unless it is sent `again`."""
        id_ = b"%d" % next(self._ids)
        line = HttpLine(self, id_, call.credential, asks=call.method in ASKING)
        self._lines.add(line)
        try:
            if self._levels:
                await self._levels.lowered(levels.wanted(call))
            params = progress.renumbered(requests.legacy_params(call), id_)
            message = jsonrpc.request(id_, call.method, params)
            spills = self.endpoint.held(call.method) > 0
            response = await self._sent(message, call.credential, again=again, spills=spills)
        except asyncio.CancelledError:
            line.leave()
            await line.cancel()
            raise
        except BaseException:
            line.leave()
            raise
        if response.events and response.streaming:
            line.opened(response, self.endpoint.held(call.method))
            return await self._exchange(line).answered(call)
        line.leave()
        if line.early:
            await line.unasked()
        if response.streaming:
            return self.endpoint.large(id_, call.method, response)
        return self._settle(call, answers.whole(self.endpoint.server, response, id_))

    def _exchange(self, line: HttpLine) -> Exchange:
        return Exchange(
            self.endpoint.server,
            line,
            self._settle,
            able=self._able,
            idle=self.endpoint.timeout,
            pass_on=self._passed_on,
        )

    def _passed_on(self, call: Call, id_: bytes, unheld: Unheld) -> Result:
        return self.endpoint.large(id_, call.method, unheld)

    async def ask(
        self, method: str, params: bytes, credential: Credential, *, again: bool = False
    ) -> jsonrpc.Message:
        """A request of the gateway's own. Raises as `send`."""
        id_ = b"%d" % next(self._ids)
        message = jsonrpc.request(id_, method, params)
        response = await self._sent(message, credential, again=again)
        server, idle = self.endpoint.server, self.endpoint.timeout
        return await answers.answer(server, response, id_, idle=idle, aside=answers.nothing)

    async def _sent(
        self, message: bytes, credential: Credential, *, again: bool, spills: bool = False
    ) -> Response:
        response = await self.endpoint.send(
            "POST", self.headers, message, credential, spills=spills
        )
        if not again and eras.outdated("legacy", self._session, response):
            raise eras.Outdated(response)
        return response

    async def _set_level(self, params: bytes) -> None:
        """An upstream that does not take it goes on as it was."""
        with suppress(Refusal, CredentialRefused):
            await self.ask("logging/setLevel", params, self._credential, again=True)

    def _settle(self, call: Call, answer: jsonrpc.Message) -> Result:
        return dialect.result(self.endpoint.server, call.method, answer)

    async def told(self, heard: attending.Heard) -> None:
        """Reads what is said beside all answers to its end; NotImplementedError where none is."""
        self._attended += 1
        try:
            await attending.got(self.endpoint.server, await self._listened(""), heard)
        finally:
            self._attended -= 1

    # beside the answers

    async def _listened(self, last: str) -> Response:
        after = [("last-event-id", last)] if last else []
        headers = [*self.listening, *after]
        return await self.endpoint.send("GET", headers, b"", self._credential)

    def _take(self, said: Said) -> None:
        message = said.message
        if message.method and message.id:
            self._asked(said)
        elif message.method in dialect.ANNOUNCED:
            self.announce(message)
        elif message.method == CANCELLED:
            for line in self._lines:
                line.withdrawn(withdrawn(message))
        elif message.method == levels.METHOD and len(self._lines) == 1:
            # Of several nobody could tell whose it is, and each may be another's.
            next(iter(self._lines)).noted(said)

    def _asked(self, said: Said) -> None:
        """A question is that of the one call that may ask: of several it might be another's."""
        reply = asked_back.reply(said.message, self._able)
        if reply is None:
            asking = [line for line in self._lines if line.asks and not line.over]
            if len(asking) == 1 and asking[0].asked(said):
                return
            reply = asked_back.unclear(said.message)
        if len(self._saying) < SAYING:
            saying = asyncio.get_running_loop().create_task(
                self.endpoint.say(self.headers, reply, self._credential)
            )
            self._saying.add(saying)
            saying.add_done_callback(self._saying.discard)
