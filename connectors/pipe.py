"""JSON-RPC over a child's standard streams, a message a line."""

import asyncio
import copy
import itertools
from collections import deque
from typing import Final

from connectors import answers, asked_back, eras, progress, requests
from connectors.child import PATIENCE, Child
from mcp_gateway.core.body import Body
from mcp_gateway.core.call import Notify, silent
from mcp_gateway.core.errors import Refusal, ResultTooLarge, UpstreamFailed, UpstreamTimedOut
from mcp_gateway.wire import jsonrpc, legacy

WAITING: Final = 256
"""Notifications that wait for a slow caller; of more the oldest are dropped."""
NOTE: Final = 64 * 1024
"""Bytes of a notification."""
UNSENT: Final = 16 * 1024 * 1024
"""Bytes that wait for a child that does not read, before it is sent no more requests."""
UNANSWERED: Final = 1024 * 1024
"""The same, before what it asks itself is no longer answered."""

TOO_LONG: Final = "wrote a line that is too long"


class Asked:
    """One request under way: what has come for it, in order, its answer or failure last."""

    def __init__(self, token: bytes) -> None:
        self.token = token
        self._notes: deque[Body] = deque(maxlen=WAITING)
        self._end: jsonrpc.Message | Refusal | None = None
        self._woken = asyncio.Event()

    def note(self, message: Body) -> None:
        self._notes.append(message)
        self._woken.set()

    def ended(self, end: jsonrpc.Message | Refusal) -> None:
        """The first end counts: an answer that comes twice, or late, changes nothing."""
        self._end = self._end or end
        self._woken.set()

    async def next(self) -> Body | jsonrpc.Message:
        """The next notification, or the answer. Raises what it failed with."""
        while True:
            if self._notes:
                return self._notes.popleft()
            if isinstance(self._end, Refusal):
                raise copy.copy(self._end)  # others may be told of the same
            if self._end:
                return self._end
            self._woken.clear()
            await self._woken.wait()


class Pipe:
    """Shared by every call: ids and progress tokens are the gateway's own."""

    def __init__(self, name: str, child: Child) -> None:
        self._name = name
        self._child = child
        self._ids = itertools.count(1)
        self._asked: dict[bytes, Asked] = {}
        self._failure: Refusal | None = None
        self.modern = False
        self.declared: frozenset[str] = frozenset()
        # Kept here and ended in aclose: it lives exactly as long as the pipe.
        self._reading = asyncio.get_running_loop().create_task(self._read())

    @property
    def open(self) -> bool:
        return self._child.alive and self._failure is None

    async def agree(self, timeout: float) -> None:
        """Finds out what the child speaks. Raises UpstreamFailed, UpstreamTimedOut.

        The initialize era is asked for first: some servers of it hang on anything else, and
        those that speak both answer it.
        """
        answer = await self.ask("initialize", legacy.initialize_params(requests.CLIENT), timeout)
        if answer.error:
            self.declared = await self._discover(answer, timeout)
            self.modern = True
            return
        _, self.declared = eras.taken_part(self._name, answer)
        self._write(jsonrpc.notification("notifications/initialized", b"{}"))

    async def ask(
        self, method: str, params: bytes, timeout: float, notify: Notify = silent
    ) -> jsonrpc.Message:
        """Sends a request and waits for its answer, `timeout` seconds from one word to the next.

        Cancelling it tells the child. Raises UpstreamFailed, UpstreamTimedOut, ResultTooLarge.
        """
        if self._failure:
            raise copy.copy(self._failure)
        id_ = b"%d" % next(self._ids)
        asked = self._asked[id_] = Asked(progress.token_of(params))
        try:
            self._send(jsonrpc.request(id_, method, progress.renumbered(params, id_)))
            return await self._answered(asked, timeout, notify)
        except TimeoutError:
            self._cancelled(id_)
            raise UpstreamTimedOut(f"{self._name} did not answer within {timeout:g} s") from None
        except asyncio.CancelledError:
            self._cancelled(id_)
            raise
        finally:
            del self._asked[id_]

    async def aclose(self) -> None:
        """Ends the child. May be called again."""
        self._reading.cancel()
        await self._child.aclose()
        self._lost(UpstreamFailed(f"{self._name} {self._child.end}"))

    async def _answered(self, asked: Asked, timeout: float, notify: Notify) -> jsonrpc.Message:
        while True:
            async with asyncio.timeout(timeout):
                message = await asked.next()
            if isinstance(message, jsonrpc.Message):
                return message
            # Its caller may be slow to take it: that is no other call's concern.
            await notify(message)

    async def _discover(self, refused: jsonrpc.Message, timeout: float) -> frozenset[str]:
        """The capabilities of a server that speaks 2026-07-28 alone."""
        params = b'{"_meta":%b}' % requests.own_meta()
        answer = await self.ask("server/discover", params, timeout)
        found = None if answer.error else eras.discovered(answer)
        if found:
            return found.declared
        raise UpstreamFailed(f"{self._name} does not take part: {answers.said(refused.error)}")

    # what leaves

    def _send(self, message: bytes) -> None:
        spoken = self._child.streams.spoken
        if spoken is None or spoken.is_closing():
            raise UpstreamFailed(f"{self._name} takes no more requests")
        if spoken.get_write_buffer_size() > UNSENT:
            raise UpstreamFailed(f"{self._name} does not read what it is sent")
        spoken.write(message + b"\n")

    def _write(self, message: bytes) -> None:
        """What nobody waits for is not worth any memory."""
        spoken = self._child.streams.spoken
        if spoken and not spoken.is_closing() and spoken.get_write_buffer_size() <= UNANSWERED:
            spoken.write(message + b"\n")

    def _cancelled(self, id_: bytes) -> None:
        note = b'{"requestId":%b}' % id_
        self._write(jsonrpc.notification("notifications/cancelled", note))

    # what comes

    async def _read(self) -> None:
        self._child.on_end(self._ended)
        try:
            await self._listen()
        except ValueError:
            self._lost(ResultTooLarge(f"{self._name} {TOO_LONG}"))
            await self._child.aclose(f"{TOO_LONG} and was stopped")
        else:
            if not await self._child.gone_within(PATIENCE):
                await self._child.aclose("closed its standard output and was stopped")
            self._lost(self._why())
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
        self._lost(self._why())

    def _why(self) -> UpstreamFailed:
        return UpstreamFailed(f"{self._name} {self._child.end}", detail=str(self._child.words))

    def _take(self, line: bytes) -> None:
        try:
            message = jsonrpc.parse(line)
        except jsonrpc.Malformed:
            self._child.words.feed(line + b"\n")
            return
        if message.method and message.id:
            self._write(asked_back.reply(message))
        elif message.method == progress.METHOD and len(line) <= NOTE:
            self._progressed(message.params.raw)
        elif asked := self._asked.get(message.id):
            asked.ended(message)

    def _progressed(self, params: bytes) -> None:
        """Progress goes to the call that asked for it, under that call's own token."""
        asked = self._asked.get(progress.about(params))
        if asked and asked.token:
            asked.note(progress.returned(params, asked.token))

    def _lost(self, failure: Refusal) -> None:
        self._failure = self._failure or failure
        for asked in self._asked.values():
            asked.ended(failure)
