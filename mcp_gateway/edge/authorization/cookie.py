"""The cookie by which a browser is known again: random, and worth nothing by itself."""

import re
import secrets
from typing import Final

from mcp_gateway.edge.asgi import Headers

_VALUE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def name_of(public: str) -> str:
    """With the prefix that no other host, and no page without TLS, can set (RFC 6265bis)."""
    return "__Host-mcpgw" if public.startswith("https:") else "mcpgw"


def fresh() -> str:
    return secrets.token_urlsafe(32)


def value_of(headers: Headers, public: str) -> str:
    """Empty without one that was made here; of two of the name none counts."""
    pairs = headers.get(b"cookie", b"").decode("latin-1").replace(",", ";").split(";")
    found = [
        value for n, _, value in (p.strip().partition("=") for p in pairs) if n == name_of(public)
    ]
    return found[0] if len(found) == 1 and _VALUE.fullmatch(found[0]) else ""


def setting(value: str, public: str) -> tuple[bytes, bytes]:
    """The header that sets it: no script reads it, and no other site's form brings it along."""
    secure = "; Secure" if public.startswith("https:") else ""
    text = f"{name_of(public)}={value}; Path=/; HttpOnly; SameSite=Lax{secure}"
    return b"set-cookie", text.encode()
