"""Authentication, before anything is parsed: an API key, or a token of the issuer."""

import time
from collections.abc import Callable
from typing import Final

from mcp_gateway.core.errors import InsufficientScope
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Current
from mcp_gateway.edge.asgi import Headers, HttpError
from mcp_gateway.oauth.rfc9068 import AccessTokens, TokenRefused
from mcp_gateway.store.keys import PREFIX, digest_of

WINDOW: Final = 60.0
MOST_FAILURES: Final = 60
"""Failed attempts of one address in a minute, after which it is not heard for the rest of it."""
MOST_ADDRESSES: Final = 10_000
_KEY: Final = f"{PREFIX}_".encode()


class Failures:
    """Counts failures by address, and in sum for the ledger: strangers cannot make it grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._by_peer: dict[str, int] = {}
        self._since = self.clock()
        self._unreported = 0

    def check(self, peer: str) -> None:
        """Raises HttpError(429)."""
        if self.clock() - self._since > WINDOW:
            self._by_peer, self._since = {}, self.clock()
        if self._by_peer.get(peer, 0) >= MOST_FAILURES:
            wait = max(1, int(WINDOW - (self.clock() - self._since)))
            header = (b"retry-after", b"%d" % wait)
            raise HttpError(429, f"too many failed attempts: wait {wait} s", [header])

    def count(self, peer: str) -> None:
        self._unreported += 1
        if len(self._by_peer) < MOST_ADDRESSES:
            self._by_peer[peer] = self._by_peer.get(peer, 0) + 1

    def take(self) -> int:
        """How many there were since the last time this was asked."""
        taken, self._unreported = self._unreported, 0
        return taken


class BearerAuthenticator:
    """Who calls. `tokens` is None without an issuer; `anonymous` without any credential."""

    def __init__(
        self,
        current: Current,
        public: str,
        tokens: AccessTokens | None = None,
        anonymous: Principal | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._current = current
        self._public = public
        self._tokens = tokens
        self._anonymous = anonymous
        self._clock = clock
        self.failures = Failures()

    def authenticate(self, headers: Headers, path: str, peer: str) -> Principal:
        """Raises HttpError: 401 with a challenge, or 429 after too many failures."""
        self.failures.check(peer)
        given = headers.get(b"authorization")
        if given is None and self._anonymous:
            return self._anonymous
        try:
            if given is None:
                raise TokenRefused("a key or a token is needed")
            scheme, _, credential = given.partition(b" ")
            if scheme.lower() != b"bearer" or not credential:
                raise TokenRefused("the Authorization header is 'Bearer' and a key or token")
            return self._principal(credential.strip())
        except TokenRefused as refused:
            if given is not None:
                self.failures.count(peer)
            raise HttpError(
                401, f"Not authenticated: {refused}.", [self._challenge(path, given)]
            ) from None

    def challenge(self, path: str, refusal: InsufficientScope) -> tuple[bytes, bytes]:
        """For a step-up: every scope that the call needs (RFC 6750, section 3.1)."""
        parts = ['error="insufficient_scope"', f'scope="{" ".join(refusal.required)}"']
        return b"www-authenticate", self._bearer(path, parts)

    def _principal(self, credential: bytes) -> Principal:
        if credential.startswith(_KEY):
            return self._by_key(credential)
        if self._tokens is None:
            raise TokenRefused("this gateway takes API keys only")
        accepted = self._tokens.accept(credential)
        if accepted.names & self._current.keyring.revoked:
            raise TokenRefused("the token was revoked")
        return accepted.principal

    def _by_key(self, credential: bytes) -> Principal:
        keyring = self._current.keyring
        key = keyring.keys.get(digest_of(credential))
        if key is None:
            raise TokenRefused("the key is unknown or was revoked")
        if key.expires and key.expires < self._clock():
            raise TokenRefused("the key has expired")
        if keyring.revoked and f"subject:{key.principal.identity}" in keyring.revoked:
            raise TokenRefused("the subject was revoked")
        return key.principal

    def _challenge(self, path: str, given: bytes | None) -> tuple[bytes, bytes]:
        parts = [] if given is None else ['error="invalid_token"']
        return b"www-authenticate", self._bearer(path, parts)

    def _bearer(self, path: str, parts: list[str]) -> bytes:
        """Names the metadata where there is an authorization server to find through it."""
        if self._tokens is not None:
            metadata = f"{self._public}/.well-known/oauth-protected-resource{path}"
            parts = [f'resource_metadata="{metadata}"', *parts]
        return ("Bearer " + ", ".join(parts)).strip().encode()
