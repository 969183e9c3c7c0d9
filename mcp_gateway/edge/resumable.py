"""The stream of a call in a session: what it says is kept, and it can be taken up elsewhere."""

import asyncio
from typing import Final

from mcp_gateway.core.body import Body
from mcp_gateway.core.call import Call
from mcp_gateway.edge.asgi import Headers, HttpError, Send
from mcp_gateway.edge.events import Event, Trail, nothing
from mcp_gateway.edge.hangup import Watch, Watched
from mcp_gateway.edge.pulse import Pulse
from mcp_gateway.edge.refusals import Answer, Flow
from mcp_gateway.edge.sessions import Session
from mcp_gateway.edge.stream import HEADERS, Stream
from mcp_gateway.wire import legacy, sse

OK: Final = 200
RETRY: Final = 1000
"""Milliseconds after which a client comes back to a stream that was closed."""
_LOG: Final = b'"notifications/message"'


class Resumable(Stream):
    """A stream whose events have ids. One writes at a time, so that they leave in order."""

    def __init__(
        self, send: Send, session: Session, *, events: bool, pulse: Pulse | None = None
    ) -> None:
        super().__init__(send, events=events, pulse=pulse)
        self._session = session
        self._trail: Trail | None = None
        self._attached = True
        self._holding = True
        self.always = False
        """Whether an answer that came at once is an event too, for its client to come back to."""

    @property
    def takes_events(self) -> bool:
        """Whether the client takes event streams, and so can be asked."""
        return self._events

    @property
    def polled(self) -> bool:
        """Whether its client knows streams that begin with nothing, and end before their answer."""
        return self._session.latest

    async def notify(self, message: Body) -> None:
        """Says what the client wants to hear: of log messages those of the level that it set."""
        if _LOG in message.raw and not _heard(message, self._session.declared.level):
            return
        await self.say(message)

    async def say(self, message: Body) -> None:
        if not self._events or self._finished:
            return
        async with self._writing():
            trail = await self._begun()
            await self._add(trail, message.raw, last=False)

    async def open(self) -> None:
        """Begins the stream before there is anything to say."""
        if self._events and not self._finished:
            async with self._writing():
                await self._begun()

    async def finish(self, answer: Answer) -> None:
        """Sends the answer, once, or keeps it for who comes back for it."""
        if self.always and answer.status == OK and answer.flow is None:
            await self.open()
        if self._trail is None:  # most answers: nobody else is writing
            await super().finish(answer)
            return
        async with self._writing():
            if self._finished:
                await super().finish(answer)
            elif answer.flow:
                self._finished = True
                await self._passed(self._trail, answer, answer.flow)
            else:
                self._finished = True
                await self._add(self._trail, answer.message, last=True)

    async def _passed(self, trail: Trail, answer: Answer, flow: Flow) -> None:
        """A result that is too large to be kept is for who is still there, and for nobody later."""
        self._session.events.add(trail, flow.lost(), last=True)
        trail.left = nothing
        if not self._attached:
            await flow.aclose()
            return
        self._holding = False
        await self._flowing(answer, flow)

    async def _say(self, data: bytes) -> None:
        """A sign of life is no event: nobody comes back for it."""
        async with self._writing():
            if self._finished:
                return
            await self._begun()
            if self._attached:
                await self._part(data, more=True)

    async def release(self) -> None:
        """Ends the connection, not the stream: the client comes back for the rest."""
        async with self._writing():
            if self._trail and not self._finished:
                self._attached = False
                await self._complete()

    def leave(self) -> None:
        """The client has come back on another connection: this one carries nothing any more."""
        self._attached = False

    def _writing(self) -> asyncio.Lock:
        if self._turn is None:
            self._turn = asyncio.Lock()
        return self._turn

    async def _begun(self) -> Trail:
        if self._trail is None:
            self._started = True
            self._trail = self._session.events.begin()
            self._trail.left = self.leave
            await self._send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            if self._session.latest:
                await self._part(sse.priming(f"{self._trail.id}-0", RETRY), more=True)
        return self._trail

    async def _add(self, trail: Trail, message: bytes, *, last: bool) -> None:
        event = self._session.events.add(trail, message, last=last)
        if self._attached:
            await self._part(encoded(event), more=True)
        if last:
            trail.left = nothing  # which would keep the connection in memory
            await self._complete()

    async def _complete(self) -> None:
        if self._holding:
            self._holding = False
            await self._part(b"", more=False)


class Opening(Watched):
    """Opens the stream of a call that has become long, and releases it for its client to poll."""

    __slots__ = ("_call", "_release_after", "_stream", "_watch")

    def __init__(self, watch: Watch, stream: Resumable, call: Call, release_after: float) -> None:
        super().__init__()
        self._watch = watch
        self._stream = stream
        self._call = call
        self._release_after = release_after
        stream.always = bool(release_after)

    def watch(self) -> None:
        """Looks again later at a call that may be refused yet, with a status of its own."""
        if self._call.attempts:
            super().watch()
        else:
            self._watch.add(self)

    async def _wait(self) -> None:
        await self._stream.open()
        if self._release_after:
            await asyncio.sleep(self._release_after)
            await self._stream.release()


def found(session: Session, headers: Headers) -> tuple[Trail, int]:
    """The stream that a GET is for: the one of its last event, or the session's own.

    Raises HttpError for an event that is not of this session, or not there any more.
    """
    if last := headers.get(b"last-event-id"):
        if known := session.events.find(last.decode("latin-1")):
            return known
        raise HttpError(400, "Last-Event-ID names no stream of this session")
    if session.channel is None:
        session.channel = session.events.begin()
    return session.channel, session.channel.number


class _Follower:
    """Who follows a stream, and is to hear a sign of life when it has been quiet."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._spoke = True
        self.due = False

    def beat(self) -> None:
        spoke, self._spoke = self._spoke, False
        self.due = not spoke
        if self.due:
            self._trail.news.set()

    async def say(self, send: Send, data: bytes) -> None:
        self._spoke, self.due = True, False
        await _part(send, data)


async def follow(session: Session, trail: Trail, after: int, send: Send, pulse: Pulse) -> None:
    """Takes a stream up on another connection, from the event after `after` on, to its end."""
    trail.left()
    me = trail.follower = _Follower(trail)
    trail.news.set()  # whoever followed it before is let go
    pulse.add(me)
    try:
        await _begin(session, f"{trail.id}-{after}", send)
        while trail.follower is me:
            trail.news.clear()
            if missed := session.events.after(trail, after):
                after = missed[-1].number
                for event in missed:
                    await me.say(send, encoded(event))
            elif trail.ended:
                break
            elif me.due:
                await me.say(send, sse.KEEP_ALIVE)
            else:
                await trail.news.wait()
        await _part(send, b"", more=False)
    finally:
        pulse.remove(me)
        if trail.follower is me:
            trail.follower = None


async def _begin(session: Session, event: str, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await _part(send, sse.priming(event, RETRY) if session.latest else sse.KEEP_ALIVE)


async def _part(send: Send, data: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more})


def encoded(event: Event) -> bytes:
    return sse.encode(event.message, id_=event.id)


def _heard(message: Body, level: str) -> bool:
    params = message.view().get("params")
    said = params.get("level") if isinstance(params, dict) else None
    return legacy.loud_enough(said, level)
