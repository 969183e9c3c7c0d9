"""The gateway as one authorization server knows it, and how it shows who it is."""

import base64
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote_plus

from mcp_gateway.core.secret import Secret
from mcp_gateway.oauth.ports import GrantOptions
from mcp_gateway.oauth.upstream.rfc7523 import ASSERTION_TYPE, assertion
from mcp_gateway.oauth.upstream.rfc8414 import BASIC, AuthorizationServer

POST: Final = "client_secret_post"
KEY: Final = "private_key_jwt"
PUBLIC: Final = "none"
Form = list[tuple[str, str]]
Headers = list[tuple[str, str]]


def nothing() -> Secret:
    """Where there is none."""
    return Secret("")


@dataclass(frozen=True, slots=True)
class Client:
    """`key` is a private key in PEM."""

    id: str
    method: str = PUBLIC
    secret: Secret = field(default_factory=nothing)
    key: Secret = field(default_factory=nothing)

    def shown(self, server: AuthorizationServer) -> tuple[Form, Headers]:
        """What of a token request says who asks. Raises ValueError for a method unknown here."""
        match self.method:
            case "none":
                return [("client_id", self.id)], []
            case "client_secret_post":
                return [("client_id", self.id), ("client_secret", self.secret.reveal())], []
            case "client_secret_basic":
                return [], [("authorization", _basic(self.id, self.secret.reveal()))]
            case "private_key_jwt":
                # For the issuer, not the endpoint: an assertion for one that others name is theirs.
                signed = assertion(self.id, server.issuer, self.key.reveal())
                asserted = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", signed)]
                return [("client_id", self.id), *asserted], []
        raise ValueError(f"the gateway cannot authenticate by {self.method!r}")


def method(configured: str, server: AuthorizationServer, *, secret: bool, key: bool) -> str:
    """How a client with these means authenticates, of what the server takes."""
    if configured:
        return configured
    if key:
        return KEY
    if not secret:
        return PUBLIC
    return POST if POST in server.methods and BASIC not in server.methods else BASIC


def configured(options: GrantOptions, server: AuthorizationServer) -> Client:
    """The client that the operator registered. Raises ValueError for a secret that is not there."""
    try:
        secret, key = options.client_secret(), options.client_key()
    except (OSError, ValueError):
        raise ValueError("the gateway cannot read its client secret") from None
    chosen = method(options.auth_method, server, secret=bool(secret), key=bool(key))
    return Client(options.client, chosen, Secret(secret), Secret(key))


def registered_method(server: AuthorizationServer) -> str:
    """What the gateway registers for: a secret where the server takes one."""
    return next((known for known in (BASIC, POST) if known in server.methods), PUBLIC)


def _basic(name: str, secret: str) -> str:
    """RFC 6749, section 2.3.1: both are encoded as in a form first."""
    pair = f"{quote_plus(name)}:{quote_plus(secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()
