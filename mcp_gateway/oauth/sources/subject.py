"""The subject token of an exchange: whom it is for, as their own provider said it."""

import base64
import hashlib
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.secret import Secret
from mcp_gateway.oauth.ports import SecretLost, Secrets, Wanted
from mcp_gateway.oauth.vault import place_of
from mcp_gateway.wire import jsonrpc

TYPE: Final = "urn:ietf:params:oauth:token-type:"
LOGIN: Final = "login"
"""The upstream, and the kind, under which the tokens of a log-in are in the vault."""


class Subjects:
    """Finds it: what the caller showed, where their provider issued that; else of their log-in.

    `issuer` is the external issuer whose tokens callers show, empty where there is none.
    """

    def __init__(self, secrets: Secrets, issuer: Callable[[], str]) -> None:
        self._secrets = secrets
        self._issuer = issuer

    async def token(self, wanted: Wanted) -> Secret:
        """Of the kind that is configured. Raises UpstreamFailed where there is none."""
        kind, shown = wanted.options.subject_token, wanted.shown.token
        if kind == "access_token" and shown and self._issuer() == _issuer_of(shown):
            return Secret(shown)
        try:
            login = await self._secrets.get(place_of(wanted.principal, LOGIN, "login"))
            return Secret(login[kind])
        except (KeyError, SecretLost):
            raise UpstreamFailed(
                f"{wanted.server} is called with what a log-in at your organisation brings, and "
                "you came without one: log in there, not with a key",
                sent=False,
            ) from None


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
