"""The subject token of an exchange: whom it is for, as their own provider said it."""

import base64
import hashlib
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import quote

from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.secret import Secret
from mcp_gateway.oauth.ports import Wanted
from mcp_gateway.wire import jsonrpc

TYPE: Final = "urn:ietf:params:oauth:token-type:"
ACCESS_TOKEN: Final = TYPE + "access_token"
OfLogIn = Callable[[Principal], Awaitable[Secret | None]]


class Subjects:
    """Finds it: the access token that the caller showed, where their provider issued that.

    For who came with a token of the gateway's own it is that of their log-in (`of_log_in`).
    `issuer` is the external issuer whose tokens callers show, empty where there is none.
    """

    def __init__(self, issuer: Callable[[], str], of_log_in: OfLogIn) -> None:
        self._issuer = issuer
        self._of_log_in = of_log_in

    async def token(self, wanted: Wanted) -> Secret:
        """Raises UpstreamFailed where the caller came with anything else."""
        shown = wanted.shown.token
        if shown and self._issuer() == _issuer_of(shown):
            return Secret(shown)
        if found := await self._of_log_in(wanted.principal):
            return found
        raise UpstreamFailed(
            f"{wanted.server} is called with what a log-in at your organisation brings, and "
            "you came without one, or it is over: log in there, not with a key",
            sent=False,
        )


def reference(kind: str, server: str, principal: Principal) -> str:
    """Names a credential without a grant: no two people, clients and actors have the same."""
    parts = (principal.tenant, principal.issuer, principal.subject, principal.client)
    whole = "|".join(quote(part, safe="") for part in (*parts, principal.actor))
    return f"{kind}:{server}:{hashlib.sha256(whole.encode()).hexdigest()[:16]}"


def _issuer_of(token: str) -> str | None:
    """Who a token says that it is of. It was verified at the edge: here it is only sorted."""
    _, _, rest = token.partition(".")
    part = rest.partition(".")[0]
    try:
        claims = jsonrpc.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        return None
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    return issuer if isinstance(issuer, str) else None
