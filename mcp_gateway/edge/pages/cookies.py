"""Cookies: by which a browser is known again, and never by anything that a script could read."""

import secrets
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

BROWSER: Final = "mcpgw"
"""Who is logged in."""
CONNECTING: Final = "mcpgw-connect"
"""Which browser began to connect an upstream."""
AUTHORIZING: Final = "mcpgw-authorize"
"""In which browser a client asked for authorization."""


def fresh() -> str:
    """A value that nobody can guess."""
    return secrets.token_urlsafe(32)


def name_of(base: str, public: str) -> str:
    """Over https no other host, and no page without TLS, can set it (`__Host-`)."""
    return f"__Host-{base}" if public.startswith("https://") else base


def value_of(request: Request, base: str, public: str) -> str:
    """Empty where the browser has none, and where it has two: one of them is not ours."""
    named = f"{name_of(base, public)}="
    sent = [pair.strip() for pair in request.headers.get("cookie", "").split(";")]
    found = [pair.removeprefix(named) for pair in sent if pair.startswith(named)]
    return found[0] if len(found) == 1 else ""


def put(response: Response, base: str, public: str, value: str, seconds: int) -> None:
    """Comes back from links of others too, since the authorization server sends one here."""
    secure = public.startswith("https://")
    name = name_of(base, public)
    response.set_cookie(name, value, seconds, secure=secure, httponly=True, samesite="lax")
