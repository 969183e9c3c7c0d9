"""The MCP edge: /mcp and /servers/<name>/mcp, both eras, bare ASGI."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from mcp_gateway.core.body import Body
from mcp_gateway.core.call import Call, Next, Notify
from mcp_gateway.core.credential import Shown
from mcp_gateway.core.errors import InsufficientScope, Refusal
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Current, Snapshot
from mcp_gateway.edge import asgi
from mcp_gateway.edge.answered import flowing, relayed
from mcp_gateway.edge.asgi import JSON, Headers, HttpError, Receive, Scope, Send
from mcp_gateway.edge.channel import ENDING, Channel
from mcp_gateway.edge.events import Trail
from mcp_gateway.edge.hangup import Watch
from mcp_gateway.edge.ids import Ids
from mcp_gateway.edge.legacy import Legacy
from mcp_gateway.edge.listening import LEFT, METHOD, Listening
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.pulse import Pulse
from mcp_gateway.edge.refusals import Answer, refused
from mcp_gateway.edge.request import Request, is_modern
from mcp_gateway.edge.resumable import follow, found
from mcp_gateway.edge.sessions import Session, Sessions, identity_of
from mcp_gateway.edge.standing import Open, Presented, presented
from mcp_gateway.services.parking import Parking
from mcp_gateway.wire import jsonrpc, trace

log = logging.getLogger(__name__)

BODY_LIMIT: Final = 4 * 1024 * 1024
_ONE_SERVER: Final = re.compile(r"/servers/([A-Za-z0-9_-]+)/mcp")


class Authenticator(Protocol):
    def authenticate(self, headers: Headers, path: str, peer: str) -> Principal:
        """Raises HttpError with its challenge."""
        ...

    def challenge(self, path: str, refusal: InsufficientScope) -> tuple[bytes, bytes]: ...


@dataclass(frozen=True, slots=True)
class Kept:
    """What outlives a request, and a configuration."""

    sessions: Sessions
    parking: Parking
    listening: Listening


@dataclass(frozen=True, slots=True)
class Terms:
    """What the configuration says of answers.

    `contact` is whom a refusal names. No answer says that it may be kept for longer than
    `ttl_ms`. `traced` begins a trace for each call that is of none: its spans go somewhere.
    """

    contact: str
    ttl_ms: int
    traced: bool = False


class McpEndpoint:
    """Authenticates, makes the call, awaits the answer, and writes it. It never decides."""

    def __init__(
        self,
        current: Current,
        authenticator: Authenticator,
        answer: Next,
        origins: Origins,
        kept: Kept,
        terms: Terms,
    ) -> None:
        self._current = current
        self._authenticator = authenticator
        self._answer = answer
        self._origins = origins
        self.sessions = kept.sessions
        self._terms = terms
        self.parking = kept.parking
        self.listening = kept.listening
        self.ttl_ms = terms.ttl_ms
        self.watch = Watch()
        self.pulse = Pulse()
        self.ids = Ids()
        self.legacy = Legacy(self, kept.sessions)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._serve(scope, receive, send)
        except HttpError as error:
            body = jsonrpc.encode({"error": error.text})
            await asgi.respond(send, error.status, body, [JSON, *error.headers])
        except ConnectionError:
            return

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = asgi.headers_of(scope)
        self._origins.check(headers)
        path = scope["path"]
        peer = scope["client"][0] if scope.get("client") else ""
        endpoint = _endpoint(path)
        principal = self._authenticator.authenticate(headers, path, peer)
        if scope["method"] == "GET" and _names_session(headers):
            await self._follow(headers, principal, endpoint, receive, send)
            return
        if scope["method"] != "POST":
            if scope["method"] != "DELETE" or not _names_session(headers):
                allowed = b"POST" if is_modern(headers) else b"GET, POST, DELETE"
                raise HttpError(405, "messages are sent by POST", [(b"allow", allowed)])
            await self._delete(headers, principal, endpoint, send)
            return
        media = headers.get(b"content-type", b"").partition(b";")[0]
        if media.strip().lower() != b"application/json":
            raise HttpError(415, "a message is application/json")
        raw = await asgi.read_body(receive, BODY_LIMIT)
        try:
            message = jsonrpc.parse(raw)
        except jsonrpc.Malformed as fault:
            error = jsonrpc.error(fault.id, fault.code, fault.message)
            await asgi.respond(send, 400, error)
            return
        request = Request(self, headers, principal, endpoint, message, scope["headers"])
        await request.serve(receive, send)

    async def _follow(
        self, headers: Headers, principal: Principal, endpoint: str, receive: Receive, send: Send
    ) -> None:
        """A stream of a session, until it ends or its reader leaves."""
        session = self.session(headers, principal, endpoint)
        if session is None or b"text/event-stream" not in headers.get(b"accept", b""):
            raise HttpError(406, "a GET is answered with text/event-stream")
        trail, after = found(session, headers)
        task = asyncio.current_task()
        hang_up = self.watch.over(receive, task) if task else None
        shown = presented(headers, f"/servers/{endpoint}/mcp" if endpoint else "/mcp")
        try:
            async with self._heard(session, trail, shown):
                await follow(session, trail, after, send, self.pulse)
        except asyncio.CancelledError:
            if not (hang_up and hang_up.happened):
                raise
        finally:
            if hang_up:
                hang_up.close()

    @asynccontextmanager
    async def _heard(self, session: Session, trail: Trail, shown: Presented) -> AsyncIterator[None]:
        """What changes is told on the stream of the session, while somebody follows it."""
        tenant = session.principal.tenant
        gone = self.listening.standing.add(
            Open(tenant, shown, partial(_still, session), lambda _: trail.let_go())
        )
        if trail is not session.channel:
            try:
                yield
            finally:
                gone()
            return
        listens, outcome = partial(self._listens, session), partial(self._outcome, trail)
        channel = Channel(self.listening, session, listens, outcome)
        # Owned here, and over soon after the stream is.
        listening = asyncio.get_running_loop().create_task(channel.run(shown))
        try:
            yield
        finally:
            gone()
            channel.stop()
            await asyncio.wait({listening}, timeout=ENDING)

    async def _outcome(self, trail: Trail, call: Call) -> None:
        """What a refusal means to who only follows a stream is that nothing is told on it.

        Whose listen has ended otherwise than by themselves may open the stream again.
        """
        try:
            await self._answer(call)
            if call.facts.get("ended", LEFT) != LEFT:
                trail.let_go()
        except Refusal as refusal:
            log.info("the stream of a session hears nothing: %s", refusal.slug)
        except Exception:
            log.exception("call %s failed inside the gateway", call.id)

    def _listens(self, session: Session, params: Body, notify: Notify) -> Call:
        snapshot = self._current.of(session.principal.tenant)
        if snapshot is None:
            raise HttpError(403, "this gateway does not serve your tenant")
        return Call(
            id=self.ids.new(),
            method=METHOD,
            params=params,
            principal=session.principal,
            snapshot=snapshot,
            endpoint=session.endpoint,
            client=session.client,
            notify=notify,
        )

    async def _delete(
        self, headers: Headers, principal: Principal, endpoint: str, send: Send
    ) -> None:
        if session := self.session(headers, principal, endpoint):
            self.sessions.end(session)
        await asgi.respond(send, 204, b"", ())

    def session(self, headers: Headers, principal: Principal, endpoint: str) -> Session | None:
        """The session that the headers name. Raises HttpError(404) for one that is not theirs."""
        id_ = headers.get(b"mcp-session-id")
        if id_ is None:
            return None
        authorization = headers.get(b"authorization", b"")
        session = self.sessions.find(id_.decode("latin-1"), principal, endpoint, authorization)
        if session is None:
            raise HttpError(404, "Session not found")
        return session

    def call(self, request: Request) -> Call:
        snapshot = self._current.of(request.principal.tenant)
        if snapshot is None:
            raise HttpError(403, "this gateway does not serve your tenant")
        id_ = self.ids.new()
        return Call(
            id=id_,
            method=request.message.method,
            params=request.params,
            principal=request.principal,
            snapshot=snapshot,
            endpoint=request.endpoint,
            parent=request.parent,
            trace=request.trace() or (trace.begun(id_) if self._terms.traced else ""),
            client=request.client(),
            mirrors=request.mirrors if request.modern else None,
            declared=request.declared,
            notify=request.stream.notify,
            shown=Shown(request.headers.get(b"authorization") or b"", request.path),
        )

    async def answered(self, call: Call, request: Request) -> Answer:
        """The answer of the chain, or the refusal, on this request's wire."""
        id_, is_modern = request.message.id, request.modern
        try:
            result = await self._answer(call)
            if result.stream is not None:
                return await flowing(call, id_, result.stream, modern_=is_modern)
            if not is_modern:
                return await self.legacy.answered(call, request, result)
            return relayed(call, id_, result, self.ttl_ms)
        except Refusal as refusal:
            answer = refused(call, id_, refusal, self._terms.contact, modern=is_modern)
            if isinstance(refusal, InsufficientScope):
                challenge = self._authenticator.challenge(request.path, refusal)
                return Answer(answer.status, (*answer.headers, challenge), answer.message)
            return answer
        except Exception:
            log.exception("call %s failed inside the gateway", call.id)
            said = f"the gateway failed; ask {self._terms.contact} about the call {call.id}"
            return Answer(200, (JSON,), jsonrpc.error(id_, jsonrpc.INTERNAL_ERROR, said))


def _still(session: Session, snapshot: Snapshot, principal: Principal) -> bool:
    """Whether the stream of a session is still its own client's, at a place that is there."""
    known = not session.endpoint or session.endpoint in snapshot.upstreams
    return known and identity_of(principal) == identity_of(session.principal)


def _names_session(headers: Headers) -> bool:
    """Whether there can be a session to end: the modern era has none, and ignores their ids."""
    return b"mcp-session-id" in headers and not is_modern(headers)


def _endpoint(path: str) -> str:
    """The one server of a path; empty at /mcp. Raises HttpError for any other path."""
    if path == "/mcp":
        return ""
    if named := _ONE_SERVER.fullmatch(path):
        return named[1]
    raise HttpError(404, "MCP is at /mcp and /servers/<name>/mcp")
