"""Log-outs that an issuer tells of (OpenID Connect Back-Channel Logout 1.0)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from joserfc.jwk import KeySet

from mcp_gateway.oauth.server.rfc7523 import AssertionRefused, Terms, claims_of, text

TYPES: Final = frozenset({"logout+jwt", "application/logout+jwt"})
EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True, slots=True)
class LogOut:
    """Who was logged out. What goes by `names`, and was issued at `issued` or before, is over.

    `id` may not come a second time before `expires`. Times are Unix seconds, of the issuer's clock.
    """

    issuer: str
    names: frozenset[str]
    id: str
    issued: int
    expires: int


@dataclass(frozen=True, slots=True)
class Expected:
    """Whose log-outs are taken, and for which of its `clients` they are told."""

    issuer: str
    clients: frozenset[str]
    algorithms: tuple[str, ...]

    def read(self, token: str, keys: KeySet, now: float) -> LogOut:
        """What a logout token says (section 2.6). Raises AssertionRefused."""
        claims = claims_of(
            token, keys, Terms(self.issuer, self.clients, self.algorithms, TYPES), now
        )
        events = claims.get("events")
        if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
            raise AssertionRefused("the token does not tell of a log-out")
        if "nonce" in claims:
            raise AssertionRefused("a token with a nonce is no logout token")
        names = frozenset(_names(self.issuer, claims))
        return LogOut(self.issuer, names, text(claims, "jti"), claims["iat"], claims["exp"])


def _names(issuer: str, claims: Mapping[str, Any]) -> list[str]:
    """Of one session where it is named, and else of the person.

    Tokens that do not say of which session they are may be of this one: they are over with it.
    """
    subject = text(claims, "sub") if "sub" in claims else ""
    if "sid" not in claims:
        return [f"subject:{issuer}|{subject or text(claims, 'sub')}"]
    session = f"session:{issuer}|{text(claims, 'sid')}"
    return [session, f"sessionless:{issuer}|{subject}"] if subject else [session]
