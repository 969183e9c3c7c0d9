"""One JSON-RPC message that arrived, and how it is answered."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from mcp_gateway.core.asking import TASKS, Declared
from mcp_gateway.core.body import Body
from mcp_gateway.core.call import Call
from mcp_gateway.core.principal import Principal
from mcp_gateway.edge import answered, asgi, listening, protocol
from mcp_gateway.edge.asgi import JSON, Headers, HttpError, Receive, Send
from mcp_gateway.edge.hangup import HangUp, Watch, Watched
from mcp_gateway.edge.legacy import Legacy
from mcp_gateway.edge.links import Link
from mcp_gateway.edge.listening import Listening
from mcp_gateway.edge.pulse import Pulse
from mcp_gateway.edge.refusals import Answer
from mcp_gateway.edge.resumable import Opening, Resumable
from mcp_gateway.edge.sessions import Session, Sessions
from mcp_gateway.edge.standing import presented
from mcp_gateway.edge.stream import Stream
from mcp_gateway.services.parking import Parking
from mcp_gateway.wire import jsonrpc, legacy, mirror, modern, trace

CALLED: Final = frozenset(
    {"tools/call", "prompts/get", "resources/read", "completion/complete", *modern.LISTINGS}
)
"""The methods that become calls at /mcp; at /servers/<name>/mcp the unknown ones do too."""
OF_SESSIONS: Final = frozenset({"resources/subscribe", "resources/unsubscribe"})
"""The methods whose effect is on a session."""
CANCELLED: Final = -31059
_LEGACY: Final = frozenset(revision.encode() for revision in legacy.REVISIONS)
_LONGEST_CLAIM: Final = 120
_NOTHING: Final = Declared()


class Edge(Protocol):
    """The endpoint, as a message needs it."""

    watch: Watch
    parking: Parking
    listening: Listening
    ttl_ms: int
    legacy: Legacy
    sessions: Sessions
    pulse: Pulse

    def session(self, headers: Headers, principal: Principal, endpoint: str) -> Session | None: ...

    def call(self, request: "Request") -> Call: ...

    async def answered(self, call: Call, request: "Request") -> Answer: ...


class Request:
    """One JSON-RPC message that arrived, and how it is answered."""

    def __init__(
        self,
        edge: Edge,
        headers: Headers,
        principal: Principal,
        endpoint: str,
        message: jsonrpc.Message,
        pairs: asgi.Pairs,
    ) -> None:
        self._edge = edge
        self._pairs = pairs
        self.headers = headers
        self.principal = principal
        self.endpoint = endpoint
        self.message = message
        self.modern = is_modern(headers)
        self.params = message.params
        self.parent = ""
        self.session: Session | None = None
        self.link: Link | None = None
        self.rounds = 0
        self.stream: Stream
        self._receive: Receive | None = None
        self._hang_up: HangUp | None = None
        """Of who is asked something on a stream to which they could not come back."""

    @property
    def path(self) -> str:
        return f"/servers/{self.endpoint}/mcp" if self.endpoint else "/mcp"

    @property
    def declared(self) -> Declared | None:
        """What the session said; nothing can be asked on an answer that is no stream."""
        if self.modern:
            return None
        session, stream = self.session, self.stream
        if session is None:
            return _NOTHING
        if isinstance(stream, Resumable) and stream.takes_events:
            return session.declared
        return Declared(level=session.declared.level)

    async def serve(self, receive: Receive, send: Send) -> None:
        if not self.modern:
            self.session = self._edge.session(self.headers, self.principal, self.endpoint)
        if not self.message.id or not self.message.method:
            self._notified()
            await asgi.respond(send, 202, b"", ())
            return
        self.stream, self._receive = self._stream(send), receive
        try:
            if fault := self._fault():
                await self.stream.finish(fault)
                return
            if not self.modern:
                self._edge.legacy.prepare(self)
            call = self._edge.call(self)
            if self.message.method in protocol.ANSWERED:
                await self.stream.finish(self._protocol(call))
                return
            if self.message.method == listening.METHOD:
                await self._listen(call, receive)
            else:
                await self._run(call, receive)
        finally:
            if self.link:  # if it did not go on, it does not any more: it is used once
                self._edge.sessions.parks.end(self.link.call, "refused")
            self.stream.close()

    async def _listen(self, call: Call, receive: Receive) -> None:
        """Its answer is a stream, whatever the caller accepts: there is no other."""
        call.notify = listening.tagged(self.stream.notify, self.message.id)
        shown = presented(self.headers, self.path)
        async with self._edge.listening.open(call, shown, receive):
            answer = await self._edge.answered(call, self)
        await self.stream.finish(answer)

    def _stream(self, send: Send) -> Stream:
        listens = self.message.method == listening.METHOD
        events = listens or b"text/event-stream" in self.headers.get(b"accept", b"")
        if self.session is None:
            return Stream(send, events=events, pulse=self._edge.pulse)
        return Resumable(send, self.session, events=events, pulse=self._edge.pulse)

    async def say(self, message: bytes) -> None:
        await self.stream.notify(Body(message))

    def go_on(self, parent: str, answers: bytes, state: str) -> None:
        """From now on it is the request of a call that goes on from `parent`."""
        changes: dict[str, bytes | None] = {
            "inputResponses": answers,
            "requestState": jsonrpc.encode(state) if state else None,
        }
        self.params = jsonrpc.body(jsonrpc.replaced(self.params.raw, changes))
        self.parent = parent
        if self.session:  # who answers may have come with a newer token
            self.principal = self.session.principal

    @contextmanager
    def asked(self) -> Iterator[None]:
        """While it is asked: who hangs up cancels, where nobody could come back for the question.

        Elsewhere a client whose connection broke finds it by `Last-Event-ID`.
        """
        task = asyncio.current_task()
        if task is None or self._receive is None or not self.session or self.session.resumes:
            yield
            return
        self._hang_up = self._edge.watch.over(self._receive, task)
        try:
            yield
        finally:
            self._hang_up.close()

    async def _run(self, call: Call, receive: Receive) -> None:
        """A modern caller that hangs up cancels; a legacy one says so in a notification."""
        session, task, stream = self.session, asyncio.current_task(), self.stream
        if session and self.message.id in session.running:
            said = "a request with this id is running in this session"
            await stream.finish(
                answered.error(self.message.id, jsonrpc.INVALID_REQUEST, said, legacy_=True)
            )
            return
        watched = self._watched(call, receive, task)
        if session and task:
            session.running[self.message.id] = task
        try:
            answer = await self._edge.answered(call, self)
            watched = self._followed(watched, answer, receive)
            await stream.finish(answer)
        except asyncio.CancelledError:
            self._edge.parking.end(call.id, "cancelled")  # nobody heard what was asked
            if self._cancelled():
                said = "the request was cancelled"
                await stream.finish(answered.error(self.message.id, CANCELLED, said, legacy_=True))
            elif not (_left(watched) or _left(self._hang_up)):
                raise
        finally:
            if session:
                session.running.pop(self.message.id, None)
            if watched:
                watched.close()

    def _watched(
        self, call: Call, receive: Receive, task: asyncio.Task[object] | None
    ) -> Watched | None:
        """What begins once the call is long: looking for a hang-up, or opening its stream."""
        if self.modern:
            return self._edge.watch.over(receive, task) if task else None
        stream = self.stream
        if not (isinstance(stream, Resumable) and stream.takes_events and stream.polled):
            return None
        watch, settings = self._edge.watch, self._edge.sessions.settings
        opening = Opening(watch, stream, call, settings.release_after)
        watch.add(opening)
        return opening

    def _followed(
        self, watched: Watched | None, answer: Answer, receive: Receive
    ) -> Watched | None:
        """A caller of any era who hangs up leaves what comes in pieces: it is kept for nobody."""
        if answer.flow is None or self.modern:
            return watched
        if watched:
            watched.close()
        task = asyncio.current_task()
        return self._edge.watch.over(receive, task) if task else None

    def _cancelled(self) -> bool:
        """Whether the caller took the request back; HTTP still owes it an answer."""
        session = self.session
        if session is None or self.message.id not in session.cancelled:
            return False
        session.cancelled.discard(self.message.id)
        return True

    def _fault(self) -> Answer | None:
        """What the protocol refuses before there is a call."""
        message = self.message
        if self.modern:
            try:
                modern.check(self.headers, message)
            except modern.Mismatch as fault:
                return answered.error(message.id, fault.code, fault.message, fault.data)
        if not self._known(message.method):
            said = f"the method {message.method!r} is not known here"
            return answered.error(
                message.id, jsonrpc.METHOD_NOT_FOUND, said, legacy_=not self.modern
            )
        return None

    def _known(self, method: str) -> bool:
        """Whether it is answered here: methods that nobody knows are one server's own."""
        if method == listening.METHOD:
            return self.modern
        if method in OF_SESSIONS:
            return not self.modern
        if method in CALLED or method in protocol.ANSWERED:
            return True
        if method.startswith("tasks/"):  # those of 2025-11-25 are nobody's
            return self.modern and method in TASKS
        return bool(self.endpoint)

    def _protocol(self, call: Call) -> Answer:
        id_, method = self.message.id, self.message.method
        if not protocol.visible(call):
            return Answer(404, (JSON,), jsonrpc.error(id_, -32602, "no such server"))
        if method == "server/discover" and self.modern:
            found = protocol.discovered(call, self._edge.ttl_ms)
            return Answer(200, (JSON,), jsonrpc.result(id_, found))
        if not self.modern and (answer := self._edge.legacy.own(call, self)):
            return answer
        said = f"the method {method!r} is not of this protocol version"
        return answered.error(id_, jsonrpc.METHOD_NOT_FOUND, said, legacy_=not self.modern)

    def _notified(self) -> None:
        """Cancels what is named and still runs, or answers what was asked.

        Other notifications need nothing done. Raises HttpError for an answer that is none.
        """
        if self.session is None:
            return
        if not self.message.method:
            try:
                self.session.questions.answer(self.message)
            except jsonrpc.Malformed as fault:
                raise HttpError(400, fault.message) from None
        elif self.message.method == "notifications/cancelled":
            wanted = self.message.params.view().get("requestId")
            if isinstance(wanted, str | int):
                self.session.cancel(jsonrpc.encode(wanted))

    def trace(self) -> str:
        meta = self.message.params.view().get("_meta")
        named = meta.get("traceparent") if isinstance(meta, dict) else None
        header = self.headers.get(b"traceparent", b"").decode("latin-1")
        return trace.accept(named if isinstance(named, str) else header)

    def mirrors(self) -> asgi.Pairs:
        """The `Mcp-Param-*` headers as they came: one that stands twice does so here too."""
        prefix = mirror.PREFIX.encode()
        return [pair for pair in self._pairs if pair[0].startswith(prefix)]

    def client(self) -> str:
        """What the runtime says of itself: a claim, for the record."""
        view = self.message.params.view()
        meta = view.get("_meta")
        info = view.get("clientInfo") or (
            meta.get(modern.META_CLIENT) if isinstance(meta, dict) else None
        )
        if isinstance(info, dict):
            said = f"{info.get('name', '')}/{info.get('version', '')}"
        elif self.session:
            said = self.session.client
        else:
            said = self.headers.get(b"user-agent", b"").decode("latin-1")
        shown = said if said.isprintable() else "".join(filter(str.isprintable, said))
        return shown[:_LONGEST_CLAIM]


def _left(watched: Watched | None) -> bool:
    return isinstance(watched, HangUp) and watched.happened


def is_modern(headers: Headers) -> bool:
    """Whether the headers are of 2026-07-28 or of a revision that nobody knows yet."""
    version = headers.get(b"mcp-protocol-version")
    return version is not None and version not in _LEGACY
