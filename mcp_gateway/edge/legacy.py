"""The initialize era at the edge: what a client of it said once, and what it is told alone."""

from collections.abc import Mapping
from typing import Any, Final

from mcp_gateway.core.asking import Declared
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.edge import answered, protocol
from mcp_gateway.edge.asgi import JSON
from mcp_gateway.edge.refusals import Answer
from mcp_gateway.edge.rounds import ASKING, Edge, Request, Rounds
from mcp_gateway.edge.sessions import Session, Sessions
from mcp_gateway.wire import jsonrpc, legacy

MOST_DECLARED: Final = 4096
"""Bytes of the capabilities that a session keeps."""
MOST_URIS: Final = 1000
"""Resources that one session may subscribe to."""
_RELAYED: Final = frozenset({"elicitation", "sampling", "roots"})

Fault = tuple[int, str]


class Legacy:
    """Adapts one request of the era and its answer. Behind the edge nobody knows of it."""

    def __init__(self, edge: Edge, sessions: Sessions) -> None:
        self._sessions = sessions
        self._rounds = Rounds(edge, sessions)

    def prepare(self, request: Request) -> None:
        """What the core takes: without a task of 2025-11-25, and with what a person has opened."""
        message = request.message
        if "task" in message.params.view():  # nobody offered tasks, so it is to be ignored
            request.params = jsonrpc.body(jsonrpc.replaced(message.params.raw, {"task": None}))
        if request.session and request.session.links:
            request.link = request.session.links.take(message.method, message.params)
            if link := request.link:
                request.go_on(link.call, link.answers(), link.state)

    async def answered(self, call: Call, request: Request, result: Result) -> Answer:
        """The result on the wire; what it asks is asked before. Raises Refusal."""
        if result.asked is not None and result.view().get("resultType") == ASKING:
            return await self._rounds.asked(call, request, result)
        link = request.link
        if link and not result.failed and result.view().get("isError") is not True:
            for note in link.completed():
                await request.say(note)
        try:
            return answered.relayed(call, request.message.id, result, None)
        except legacy.Untranslatable as fault:
            code = jsonrpc.INTERNAL_ERROR
            return answered.error(request.message.id, code, str(fault), legacy_=True)

    def own(self, call: Call, request: Request) -> Answer | None:
        """The answer to what is between the client and the gateway alone."""
        id_, session = request.message.id, request.session
        view = request.message.params.view()
        fault: Fault | None = None
        match request.message.method:
            case "initialize":
                return self._initialize(call, request)
            case "ping":
                pass
            case "logging/setLevel":
                fault = _set_level(session, view)
            case "resources/subscribe":
                fault = _subscribe(session, view, wanted=True)
            case "resources/unsubscribe":
                fault = _subscribe(session, view, wanted=False)
            case _:
                return None
        if fault:
            return answered.error(id_, *fault, legacy_=True)
        return Answer(200, (JSON,), jsonrpc.result(id_, b"{}"))

    def _initialize(self, call: Call, request: Request) -> Answer:
        params = request.message.params
        revision, result = protocol.initialized(call, params.view().get("protocolVersion"))
        who, where = call.principal, call.endpoint
        session = self._sessions.begin(who, where, revision, call.client, call.shown)
        session.declared = Declared(declared(params.raw))
        header = (legacy.SESSION.encode(), session.id.encode())
        return Answer(200, (JSON, header), jsonrpc.result(request.message.id, result))


def declared(raw: bytes) -> bytes:
    """The capabilities in the parameters of `initialize`: whole, or the part that is relayed."""
    given = bytes(jsonrpc.members(raw).get("capabilities", b""))
    if given[:1] != b"{":
        return b"{}"
    if len(given) > MOST_DECLARED:
        known = {n: v for n, v in jsonrpc.members(given).items() if n in _RELAYED}
        given = jsonrpc.encode(known)
    return given if len(given) <= MOST_DECLARED else b"{}"


def _set_level(session: Session | None, view: Mapping[str, Any]) -> Fault | None:
    level = view.get("level")
    if level not in legacy.LOG_LEVELS:
        return jsonrpc.INVALID_PARAMS, f"a level is one of {', '.join(legacy.LOG_LEVELS)}"
    if session:
        session.set_level(level)
    return None


def _subscribe(session: Session | None, view: Mapping[str, Any], *, wanted: bool) -> Fault | None:
    uri = view.get("uri")
    if not isinstance(uri, str):
        return jsonrpc.INVALID_PARAMS, "a subscription has the uri of a resource"
    if session is None:
        return jsonrpc.INVALID_REQUEST, "a subscription needs a session: initialize first"
    if wanted and uri not in session.uris and len(session.uris) >= MOST_URIS:
        return jsonrpc.INVALID_PARAMS, f"a session subscribes to at most {MOST_URIS} resources"
    session.subscribe(uri, wanted=wanted)
    return None
