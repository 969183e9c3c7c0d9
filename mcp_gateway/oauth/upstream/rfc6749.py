"""OAuth 2.0 (RFC 6749) towards upstreams' servers: the authorization request, and token requests.

What known servers do in their own way is read here, and nowhere else.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from mcp_gateway.core.errors import UpstreamFailed, UpstreamTimedOut
from mcp_gateway.core.secret import Secret
from mcp_gateway.oauth.documents import check
from mcp_gateway.oauth.upstream import scopes
from mcp_gateway.oauth.upstream.client import Client, nothing
from mcp_gateway.oauth.upstream.rfc8414 import AuthorizationServer
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.failures import HttpFailed, HttpTimedOut
from mcp_gateway.wire.http import HttpClient

WITHIN: Final = 10.0
"""Seconds for one answer."""
MOST: Final = 64 * 1024
"""Bytes of the largest answer."""
LONGEST: Final = 16 * 1024
"""Characters of the longest token."""
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
_ERROR: Final = re.compile(r"[a-z0-9_]{1,64}")
_FORM: Final = "application/x-www-form-urlencoded"
_HEADERS: Final = (("content-type", _FORM), ("accept", "application/json"))
_OF_PEOPLE: Final = "user"
"""The token type that Slack gives to people's tokens: they are bearer tokens."""

Form = Sequence[tuple[str, str]]


class TokenRefused(Exception):
    """The server gave no token. `error` is its code, of the letters that codes have."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True, slots=True)
class Answer:
    """What a token request brought. `expires_in` is 0 where the server does not say.

    `scopes` are empty where they are those that were asked for (section 5.1). `issued` is the
    type of RFC 8693, section 2.2.1.
    """

    access: Secret
    refresh: Secret = field(default_factory=nothing)
    id: Secret = field(default_factory=nothing)
    expires_in: int = 0
    scopes: frozenset[str] = field(default_factory=frozenset)
    issued: str = ""
    type: str = "bearer"


def authorization(server: AuthorizationServer, parameters: Form) -> str:
    """The address that a browser is sent to."""
    joined = "&" if urlsplit(server.authorize).query else "?"
    return f"{server.authorize}{joined}{urlencode(parameters)}"


class TokenEndpoint:
    """Asks servers for tokens, and has them forget tokens."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def ask(self, server: AuthorizationServer, client: Client, form: Form) -> Answer:
        """What came. Raises TokenRefused, UpstreamFailed, UpstreamTimedOut."""
        status, found = await self.post(server.token, server, client, form)
        if "error" in found or status != 200:
            raise TokenRefused(_code(found.get("error"), status))
        try:
            return _answer(found)
        except ValueError as error:
            raise UpstreamFailed(f"the token endpoint of {server.issuer}: {error}") from None

    async def post(
        self, url: str, server: AuthorizationServer, client: Client, form: Form
    ) -> tuple[int, Mapping[str, Any]]:
        """The status and the members of the answer, of none where it has none.

        Raises UpstreamFailed, UpstreamTimedOut. Nothing of the request is in what they say.
        """
        try:
            if not url:
                raise ValueError("it has no such endpoint")
            check(url, url)
            who, headers = client.shown(server)
            body = urlencode([*form, *who]).encode()
            asked = [*_HEADERS, *headers]
            async with self._http.stream("POST", url, asked, body, timeout=WITHIN) as response:
                kind = response.headers.get("content-type", "")
                content = await response.read(MOST, WITHIN)
                status = response.status
        except HttpTimedOut:
            raise UpstreamTimedOut(f"{server.issuer} did not answer in time") from None
        except (HttpFailed, ValueError) as error:
            raise UpstreamFailed(f"{server.issuer} cannot be asked: {error}") from None
        if status >= 500 or status == 429:
            raise UpstreamFailed(f"{server.issuer} answered {status}", passing=True)
        return status, _members(kind, content)


def _members(kind: str, content: bytes) -> Mapping[str, Any]:
    """GitHub answers in a form unless it is asked for JSON, and some proxies before others do."""
    if kind.partition(";")[0].strip().lower() == _FORM:
        return dict(parse_qsl(content.decode("utf-8", "replace")))
    try:
        found = jsonrpc.decode(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _answer(found: Mapping[str, Any]) -> Answer:
    """Raises ValueError for what is no token that a request can hold."""
    of_person = found.get("authed_user")  # Slack: the person's token is inside, the bot's outside
    members = {**found, **of_person} if isinstance(of_person, dict) else found
    kind = str(members.get("token_type", "bearer")).lower()
    return Answer(
        access=_token(members, "access_token"),
        refresh=_token(members, "refresh_token") if members.get("refresh_token") else nothing(),
        id=_token(members, "id_token") if members.get("id_token") else nothing(),
        expires_in=_seconds(members.get("expires_in")),
        scopes=_scopes(members.get("scope")),
        issued=str(members.get("issued_token_type", "")),
        type="bearer" if kind == _OF_PEOPLE else kind,
    )


def _token(members: Mapping[str, Any], name: str) -> Secret:
    value = members.get(name)
    if not isinstance(value, str) or len(value) > LONGEST or not _TOKEN.fullmatch(value):
        raise ValueError(f"its {name} is nothing that a request can hold")
    return Secret(value)


def _seconds(value: Any) -> int:
    """A number, which some write as a text. What is neither says nothing."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:12])
    return int(value) if type(value) in (int, float) and 0 < value < 10**12 else 0


def _scopes(value: Any) -> frozenset[str]:
    """GitHub sets them apart with commas."""
    return scopes.words(value.replace(",", " ")) if isinstance(value, str) else frozenset()


def _code(error: Any, status: int) -> str:
    return error if isinstance(error, str) and _ERROR.fullmatch(error) else f"http_{status}"
