"""A door to knock at: the authenticator with one key, and an issuer where it has one."""

from collections.abc import Callable, Mapping

import pytest

from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import ApiKey, Current, Keyring
from mcp_gateway.edge import failures
from mcp_gateway.edge.asgi import HttpError
from mcp_gateway.edge.bearer import BearerAuthenticator, no_scopes
from mcp_gateway.oauth.rfc9068 import AccessTokens
from mcp_gateway.store.keys import digest_of
from tests.support.calls import ALICE
from tests.support.tokens import NOW

KEY = b"mcpgw_0a1b2c3d_the-key-of-alice"
PUBLIC = "https://gateway.example.com"
PEER = "203.0.113.7"


class Clock:
    now = float(NOW)

    def __call__(self) -> float:
        return self.now


class Door:
    """An authenticator with one key of ALICE's, and an issuer if it has `tokens`."""

    def __init__(
        self,
        tokens: AccessTokens | None = None,
        anonymous: Principal | None = None,
        expires: int = 0,
        scopes: Callable[[str], frozenset[str]] = no_scopes,
    ) -> None:
        self.clock = Clock()
        self.current = Current()
        self.key = ApiKey("0a1b2c3d", ALICE, expires, NOW - 100)
        self.revoke()
        self.authenticator = BearerAuthenticator(
            self.current, PUBLIC, tokens, anonymous, self.clock, scopes
        )
        self.authenticator.failures = failures.Failures(self.clock)

    def revoke(self, *names: str, ended: Mapping[str, int] | None = None) -> None:
        keyring = Keyring({digest_of(KEY): self.key}, frozenset(names), ended=ended or {})
        self.current.swap_keyring(keyring)

    def knock(self, given: bytes | None, path: str = "/mcp", peer: str = PEER) -> Principal:
        headers = {} if given is None else {b"authorization": given}
        return self.authenticator.authenticate(headers, path, peer)

    def refused(self, given: bytes | None, path: str = "/mcp", peer: str = PEER) -> HttpError:
        with pytest.raises(HttpError) as error:
            self.knock(given, path, peer)
        return error.value
