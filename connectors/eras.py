"""Eras: finding out what an upstream speaks, and noticing that it speaks something else now."""

import itertools
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from connectors import abilities, answers, requests
from connectors.abilities import Abilities
from mcp_gateway.core.asking import Offered
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.wire import jsonrpc, legacy, modern
from mcp_gateway.wire.connection import Response

Headers = list[tuple[str, str]]
Post = Callable[[Headers, bytes], Awaitable[Response]]
EVENT_STREAM: Final = "application/json, text/event-stream"
PROBES: Final = 2
"""A server that turns 2026-07-28 down, and says that it speaks it, is asked once more."""
STALE: Final = frozenset({400, 404})
"""The statuses with which a server turns away a request of a session or an era it has not."""

_MODERN: Final = frozenset({modern.HEADER_MISMATCH, modern.MISSING_CAPABILITY})
"""Errors that only a server of 2026-07-28 gives, while it speaks it."""
_TAKEN: Final = _MODERN | {jsonrpc.INVALID_PARAMS, jsonrpc.PARSE_ERROR, jsonrpc.METHOD_NOT_FOUND}
"""Errors of such a server about a request that it took for one."""
_SESSION: Final = re.compile(r"[\x21-\x7e]{1,1024}")


class Outdated(Exception):
    """A request was turned away for its session or its era, and so was not carried out."""

    def __init__(self, response: Response) -> None:
        super().__init__("the session, or the era, is over")
        self._response = response

    def answer(self, server: str) -> jsonrpc.Message:
        """What the request was answered, where that stands. Raises UpstreamFailed."""
        return answers.whole(server, self._response, b"")


@dataclass(frozen=True, slots=True)
class Spoken:
    """What was agreed on. `session` is what each request of the initialize era carries."""

    offered: Offered
    session: tuple[tuple[str, str], ...] = ()

    @property
    def declared(self) -> frozenset[str]:
        """The names of the capabilities."""
        return frozenset(self.offered.capabilities or ())


async def probed(
    server: str, post: Post, ids: "itertools.count[int]", idle: float
) -> Spoken | None:
    """Asks as 2026-07-28; None for a server that does not know it: it is of the initialize era.

    Raises UpstreamFailed, UpstreamTimedOut, ResultTooLarge, CredentialRefused.
    """
    for _ in range(PROBES):
        id_ = b"%d" % next(ids)
        params = b'{"_meta":%b}' % requests.own_meta()
        message = jsonrpc.request(id_, "server/discover", params)
        response = await post(modern.request_headers("server/discover", ""), message)
        answer = await _read(server, response, id_, idle)
        if found := _modern(server, answer):
            return found
        if modern.REVISION not in _supported(server, answer):
            break
    return None


async def initialized(
    server: str, post: Post, ids: "itertools.count[int]", idle: float, able: Abilities
) -> Spoken:
    """Begins a session of the initialize era, for clients that can answer this. Raises as above."""
    id_ = b"%d" % next(ids)
    declared = abilities.encoded(able)
    params = legacy.initialize_params(requests.CLIENT, capabilities=declared)
    response = await post(headers(()), jsonrpc.request(id_, "initialize", params))
    answer = await answers.answer(server, response, id_, idle=idle, aside=answers.nothing)
    revision, found = taken_part(server, answer)
    session = [("mcp-protocol-version", revision)]
    if named := response.headers.get(legacy.SESSION):
        if not _SESSION.fullmatch(named):
            raise UpstreamFailed(f"{server} names a session as no session can be named")
        session.append((legacy.SESSION, named))
    note = jsonrpc.notification("notifications/initialized", b"{}")
    (await post(headers(session), note)).close()
    return Spoken(found, tuple(session))


def outdated(era: str, session: Sequence[tuple[str, str]], response: Response) -> bool:
    """Whether a request was turned away for its session or its era, and so was not carried out."""
    if response.status not in STALE or response.streaming:
        return False
    code = _code(response.body)
    if era == "modern":
        return response.status == 400 and code not in _TAKEN
    in_session = any(name == legacy.SESSION for name, _ in session)
    return in_session or code in _MODERN | {modern.UNSUPPORTED_VERSION}


def headers(session: Sequence[tuple[str, str]]) -> Headers:
    """What a request of the initialize era carries."""
    return [("content-type", "application/json"), ("accept", EVENT_STREAM), *session]


def offered(era: Literal["modern", "legacy"], raw: bytes) -> Offered:
    """What the answer to `server/discover` or `initialize` says that its server can do."""
    try:
        found = jsonrpc.members(raw)
        capabilities = jsonrpc.members(bytes(found.get("capabilities", b"{}")))
    except ValueError:
        return Offered(era, {})
    instructions = _view(raw).get("instructions")
    return Offered(
        era,
        {name: bytes(value) for name, value in capabilities.items()},
        instructions if isinstance(instructions, str) else "",
    )


def discovered(answer: jsonrpc.Message) -> Spoken | None:
    """What a result of `server/discover` says; None when it is not of a modern server."""
    result = _view(answer.result)
    versions = result.get("supportedVersions")
    if isinstance(versions, list) and modern.REVISION in versions:
        return Spoken(offered("modern", answer.result))
    return None


def taken_part(server: str, answer: jsonrpc.Message) -> tuple[str, Offered]:
    """The revision and the rest of an answer to `initialize`. Raises UpstreamFailed."""
    raw, failed = requests.answered(answer, server)
    if failed:
        raise UpstreamFailed(f"{server} does not take part: {answers.said(raw)}")
    revision = _view(raw).get("protocolVersion")
    if revision not in legacy.REVISIONS:
        raise UpstreamFailed(f"{server} speaks a revision that is not known here")
    return revision, offered("legacy", raw)


async def _read(server: str, response: Response, id_: bytes, idle: float) -> jsonrpc.Message | None:
    """The answer to the probe; None when it is no message: that server knows no better."""
    if not response.streaming and _code(response.body) is None and response.status >= 400:
        return None
    return await answers.answer(server, response, id_, idle=idle, aside=answers.nothing)


def _modern(server: str, answer: jsonrpc.Message | None) -> Spoken | None:
    """What a modern server said; None for any other. Raises UpstreamFailed."""
    if answer is None:
        return None
    if not answer.error:
        return discovered(answer)
    if _view(answer.error).get("code") in _MODERN:
        raise UpstreamFailed(f"{server} turns the gateway away: {answers.said(answer.error)}")
    return None


def _supported(server: str, answer: jsonrpc.Message | None) -> list[str]:
    """What a server says that it speaks that has turned a revision down, empty when it does not.

    Raises UpstreamFailed when there is none among it that is known here.
    """
    error = _view(answer.error) if answer and answer.error else {}
    data = error.get("data")
    named = data.get("supported") if isinstance(data, dict) else None
    if error.get("code") != modern.UNSUPPORTED_VERSION or not isinstance(named, list) or not named:
        return []
    if not {modern.REVISION, *legacy.REVISIONS} & {str(name) for name in named}:
        raise UpstreamFailed(f"{server} speaks no revision that is known here")
    return named


def _code(body: bytes) -> int | None:
    """The code of the error that a body is; None when it is no JSON-RPC error."""
    try:
        message = jsonrpc.parse(body)
    except jsonrpc.Malformed:
        return None
    code = _view(message.error).get("code") if message.error else None
    return code if isinstance(code, int) else None


def _view(raw: bytes) -> dict[str, Any]:
    """The object, empty for what is none."""
    try:
        decoded = jsonrpc.decode(raw)
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}
