"""The MCP edge: /mcp and /servers/<name>/mcp, both eras, bare ASGI."""

import asyncio
import logging
import re
from typing import Final, Protocol

from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call, Next
from mcp_gateway.core.errors import InsufficientScope, Refusal
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Current
from mcp_gateway.edge import asgi, protocol
from mcp_gateway.edge.asgi import JSON, Headers, HttpError, Receive, Scope, Send
from mcp_gateway.edge.hangup import Watch
from mcp_gateway.edge.ids import Ids
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.refusals import Answer, refused, with_receipt
from mcp_gateway.edge.sessions import Session, Sessions
from mcp_gateway.edge.stream import Stream
from mcp_gateway.wire import jsonrpc, legacy, mirror, modern, trace

log = logging.getLogger(__name__)

BODY_LIMIT: Final = 4 * 1024 * 1024
CALLED: Final = frozenset(
    {"tools/call", "prompts/get", "resources/read", "completion/complete", *modern.LISTINGS}
)
"""The methods that become calls at /mcp; at /servers/<name>/mcp the unknown ones do too."""
REFUSED_METHODS: Final = frozenset({"subscriptions/listen", "resources/subscribe"})
_LEGACY: Final = frozenset(revision.encode() for revision in legacy.REVISIONS)
_ONE_SERVER: Final = re.compile(r"/servers/([A-Za-z0-9_-]+)/mcp")
_LONGEST_CLAIM: Final = 120
CANCELLED: Final = -31059


class Authenticator(Protocol):
    def authenticate(self, headers: Headers, path: str, peer: str) -> Principal:
        """Raises HttpError with its challenge."""
        ...

    def challenge(self, path: str, refusal: InsufficientScope) -> tuple[bytes, bytes]: ...


class McpEndpoint:
    """Authenticates, makes the call, awaits the answer, and writes it. It never decides."""

    def __init__(
        self,
        current: Current,
        authenticator: Authenticator,
        answer: Next,
        origins: Origins,
        contact: str,
        sessions: Sessions,
        *,
        traced: bool = False,
    ) -> None:
        """`traced` begins a trace for each call that is of none: its spans go somewhere."""
        self._current = current
        self._authenticator = authenticator
        self._answer = answer
        self._origins = origins
        self._contact = contact
        self._sessions = sessions
        self._traced = traced
        self.watch = Watch()
        self.ids = Ids()

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
        if scope["method"] != "POST":
            if scope["method"] != "DELETE" or not _names_session(headers):
                allowed = b"POST" if _modern(headers) else b"POST, DELETE"
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

    async def _delete(
        self, headers: Headers, principal: Principal, endpoint: str, send: Send
    ) -> None:
        id_ = headers.get(b"mcp-session-id", b"").decode("latin-1")
        session = self._sessions.find(id_, principal, endpoint)
        if session is None:
            raise HttpError(404, "Session not found")
        self._sessions.end(session)
        await asgi.respond(send, 204, b"", ())

    def begin(self, principal: Principal, endpoint: str, revision: str, client: str) -> Session:
        return self._sessions.begin(principal, endpoint, revision, client)

    def session(self, headers: Headers, principal: Principal, endpoint: str) -> Session | None:
        """The session that the headers name. Raises HttpError(404) for one that is not theirs."""
        id_ = headers.get(b"mcp-session-id")
        if id_ is None:
            return None
        session = self._sessions.find(id_.decode("latin-1"), principal, endpoint)
        if session is None:
            raise HttpError(404, "Session not found")
        return session

    def call(self, request: "Request", stream: Stream) -> Call:
        snapshot = self._current.of(request.principal.tenant)
        if snapshot is None:
            raise HttpError(403, "this gateway does not serve your tenant")
        id_ = self.ids.new()
        return Call(
            id=id_,
            method=request.message.method,
            params=request.message.params,
            principal=request.principal,
            snapshot=snapshot,
            endpoint=request.endpoint,
            trace=request.trace() or (trace.begun(id_) if self._traced else ""),
            client=request.client(),
            mirrors=request.mirrors if request.modern else None,
            notify=stream.notify,
        )

    async def answered(self, call: Call, request: "Request") -> Answer:
        """The answer of the chain, or the refusal, on this request's wire."""
        id_, is_modern = request.message.id, request.modern
        try:
            return _relayed(call, id_, await self._answer(call), modern_=is_modern)
        except Refusal as refusal:
            answer = refused(call, id_, refusal, self._contact, modern=is_modern)
            if isinstance(refusal, InsufficientScope):
                challenge = self._authenticator.challenge(request.path, refusal)
                return Answer(answer.status, (*answer.headers, challenge), answer.message)
            return answer
        except Exception:
            log.exception("call %s failed inside the gateway", call.id)
            said = f"the gateway failed; ask {self._contact} about the call {call.id}"
            return Answer(200, (JSON,), jsonrpc.error(id_, jsonrpc.INTERNAL_ERROR, said))


class Request:
    """One JSON-RPC message that arrived, and how it is answered."""

    def __init__(
        self,
        edge: McpEndpoint,
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
        self.modern = _modern(headers)
        self._session: Session | None = None

    @property
    def path(self) -> str:
        return f"/servers/{self.endpoint}/mcp" if self.endpoint else "/mcp"

    async def serve(self, receive: Receive, send: Send) -> None:
        if not self.modern:
            self._session = self._edge.session(self.headers, self.principal, self.endpoint)
        if not self.message.id or not self.message.method:
            self._notified()
            await asgi.respond(send, 202, b"", ())
            return
        stream = Stream(send, events=b"text/event-stream" in self.headers.get(b"accept", b""))
        if fault := self._fault():
            await stream.finish(fault)
            return
        call = self._edge.call(self, stream)
        if self.message.method in protocol.ANSWERED:
            await stream.finish(self._protocol(call))
            return
        await self._run(call, stream, receive)

    async def _run(self, call: Call, stream: Stream, receive: Receive) -> None:
        """A modern caller that hangs up cancels; a legacy one says so in a notification."""
        session, task = self._session, asyncio.current_task()
        hang_up = self._edge.watch.over(receive, task) if self.modern and task else None
        if session and self.message.id in session.running:
            said = "a request with this id is running in this session"
            await stream.finish(
                _error(self.message.id, jsonrpc.INVALID_REQUEST, said, legacy_=True)
            )
            return
        if session and task:
            session.running[self.message.id] = task
        try:
            await stream.finish(await self._edge.answered(call, self))
        except asyncio.CancelledError:
            if self._cancelled():
                said = "the request was cancelled"
                await stream.finish(_error(self.message.id, CANCELLED, said, legacy_=True))
            elif not (hang_up and hang_up.happened):
                raise
        finally:
            if session:
                session.running.pop(self.message.id, None)
            if hang_up:
                hang_up.close()

    def _cancelled(self) -> bool:
        """Whether the caller took the request back; HTTP still owes it an answer."""
        session = self._session
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
                return _error(message.id, fault.code, fault.message, fault.data)
        known = message.method in CALLED or message.method in protocol.ANSWERED
        if message.method in REFUSED_METHODS or not (known or self.endpoint):
            said = f"the method {message.method!r} is not known here"
            return _error(message.id, jsonrpc.METHOD_NOT_FOUND, said, legacy_=not self.modern)
        return None

    def _protocol(self, call: Call) -> Answer:
        id_, method = self.message.id, self.message.method
        if not protocol.visible(call):
            return Answer(404, (JSON,), jsonrpc.error(id_, -32602, "no such server"))
        if method == "server/discover" and self.modern:
            return Answer(200, (JSON,), jsonrpc.result(id_, protocol.discovered()))
        if method == "initialize" and not self.modern:
            return self._initialize(id_)
        if method in ("ping", "logging/setLevel") and not self.modern:
            return Answer(200, (JSON,), jsonrpc.result(id_, b"{}"))
        said = f"the method {method!r} is not of this protocol version"
        return _error(id_, jsonrpc.METHOD_NOT_FOUND, said, legacy_=not self.modern)

    def _initialize(self, id_: bytes) -> Answer:
        view = self.message.params.view()
        revision, result = protocol.initialized(view.get("protocolVersion"))
        session = self._edge.begin(self.principal, self.endpoint, revision, self.client())
        header = (legacy.SESSION.encode(), session.id.encode())
        return Answer(200, (JSON, header), jsonrpc.result(id_, result))

    def _notified(self) -> None:
        """Cancels what is named and still runs; other notifications need nothing done."""
        if self._session is None or self.message.method != "notifications/cancelled":
            return
        wanted = self.message.params.view().get("requestId")
        if isinstance(wanted, str | int):
            self._session.cancel(jsonrpc.encode(wanted))

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
        elif self._session:
            said = self._session.client
        else:
            said = self.headers.get(b"user-agent", b"").decode("latin-1")
        shown = said if said.isprintable() else "".join(filter(str.isprintable, said))
        return shown[:_LONGEST_CLAIM]


def _modern(headers: Headers) -> bool:
    version = headers.get(b"mcp-protocol-version")
    return version is not None and version not in _LEGACY


def _names_session(headers: Headers) -> bool:
    """Whether there can be a session to end: the modern era has none, and ignores their ids."""
    return b"mcp-session-id" in headers and not _modern(headers)


def _endpoint(path: str) -> str:
    """The one server of a path; empty at /mcp. Raises HttpError for any other path."""
    if path == "/mcp":
        return ""
    if named := _ONE_SERVER.fullmatch(path):
        return named[1]
    raise HttpError(404, "MCP is at /mcp and /servers/<name>/mcp")


def _error(
    id_: bytes, code: int, message: str, data: object = None, *, legacy_: bool = False
) -> Answer:
    status = 200 if legacy_ else modern.HTTP_STATUS.get(code, 200)
    return Answer(status, (JSON,), jsonrpc.error(id_, code, message, data))


def _relayed(call: Call, id_: bytes, result: Result, *, modern_: bool) -> Answer:
    """An upstream's result, or its own error, with its receipt."""
    if result.failed:
        return _failed(call, id_, result, modern_=modern_)
    raw = result.raw if modern_ else legacy.result_to_legacy(call.method, result.raw)
    return Answer(200, (JSON,), jsonrpc.result(id_, with_receipt(raw, call)))


def _failed(call: Call, id_: bytes, result: Result, *, modern_: bool) -> Answer:
    given = result.view().get("code")
    code = given if type(given) is int else jsonrpc.INTERNAL_ERROR
    mapped = (legacy.code_to_modern if modern_ else legacy.code_to_legacy)(call.method, code)
    raw = result.raw if mapped == given else jsonrpc.replaced(result.raw, {"code": b"%d" % mapped})
    status = modern.HTTP_STATUS.get(mapped, 200) if modern_ else 200
    return Answer(status, (JSON,), jsonrpc.error_raw(id_, raw))
