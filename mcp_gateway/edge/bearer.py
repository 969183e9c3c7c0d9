"""Authentication, before anything is parsed: an API key, or a token of the issuer."""

import time
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from mcp_gateway.core.credential import Shown
from mcp_gateway.core.errors import InsufficientScope
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Current
from mcp_gateway.edge.asgi import Headers, HttpError
from mcp_gateway.edge.failures import Failures
from mcp_gateway.oauth.claims import TokenRefused
from mcp_gateway.oauth.ports import Tokens
from mcp_gateway.oauth.rfc9068 import KeyUnknown, StateUnknown, TokenExpired
from mcp_gateway.store.keys import PREFIX, digest_of

AGAIN: Final = 5
"""Seconds until somebody whose issuer does not answer may try again."""
_KEY: Final = f"{PREFIX}_".encode()


def no_scopes(_: str) -> frozenset[str]:
    """Where no endpoint asks for any."""
    return frozenset()


class BearerAuthenticator:
    """Who calls. `tokens` is None without an issuer; `anonymous` without any credential.

    `scopes` says which ones a client should ask for at the endpoint of a path.
    """

    def __init__(
        self,
        current: Current,
        public: str,
        tokens: Tokens | None = None,
        anonymous: Principal | None = None,
        clock: Callable[[], float] = time.time,
        scopes: Callable[[str], frozenset[str]] = no_scopes,
    ) -> None:
        self._current = current
        self._public = public
        self._tokens = tokens
        self._anonymous = anonymous
        self._clock = clock
        self._scopes = scopes
        self.failures = Failures()

    def authenticate(self, headers: Headers, path: str, peer: str) -> Principal:
        """Raises HttpError: 401 with a challenge, 429 after too many failures, or 503.

        The last is for a token of which the issuer does not say whether it is still good.
        What is known already is heard even then: neighbours behind one address do not shut each
        other out, and a look at it costs nothing.
        """
        given = headers.get(b"authorization")
        if given is None:
            if self._anonymous:
                return self._anonymous
            said = "send an API key or an access token, as 'Authorization: Bearer ...'"
            raise HttpError(401, f"Not authenticated: {said}.", [self._unauthorized(path)])
        scheme, _, credential = given.partition(b" ")
        credential = credential.strip()
        if (wait := self.failures.wait(peer)) and not self._knows(credential):
            self.failures.count(peer)
            header = (b"retry-after", b"%d" % wait)
            raise HttpError(429, f"too many failed attempts: wait {wait} s", [header])
        try:
            if scheme.lower() != b"bearer" or not credential:
                raise TokenRefused("the Authorization header is 'Bearer' and a key or token")
            return self._principal(credential, path)
        except StateUnknown as unknown:
            # Nobody is to log in again, nor to be shut out, because the issuer does not answer.
            self.failures.count(peer, against=False)
            header = (b"retry-after", b"%d" % AGAIN)
            raise HttpError(503, f"Not authenticated for now: {unknown}.", [header]) from None
        except TokenRefused as refused:
            # Whose issuer has a new key did nothing wrong, and to find that out costs nothing.
            self.failures.count(peer, against=not isinstance(refused, KeyUnknown))
            challenge = self._unauthorized(path, 'error="invalid_token"')
            raise HttpError(401, f"Not authenticated: {refused}.", [challenge]) from None

    def again(self, headers: Headers, path: str) -> Principal:
        """Who a caller is by now that was authenticated before. Raises HttpError(401).

        Nothing is counted: what has ended meanwhile is no attempt to get in.
        """
        given = headers.get(b"authorization")
        try:
            if given is not None:
                return self._principal(given.partition(b" ")[2].strip(), path)
        except TokenRefused as refused:
            raise HttpError(401, f"Not authenticated: {refused}.") from None
        if self._anonymous:
            return self._anonymous
        raise HttpError(401, "Not authenticated: send an API key or an access token.")

    def revoked(self, shown: Shown) -> bool:
        """Whether what was accepted before has been taken back. What only expired is not.

        Nor is what waits for the keys of its issuer, or its word: they may come, or come back.
        """
        if not shown.authorization:
            return self._anonymous is None
        try:
            self._principal(shown.authorization.partition(b" ")[2].strip(), shown.path)
        except (TokenExpired, KeyUnknown, StateUnknown):
            return False
        except TokenRefused:
            return True
        return False

    def challenge(self, path: str, refusal: InsufficientScope) -> tuple[bytes, bytes]:
        """For a step-up: every scope that the call needs (RFC 6750, section 3.1)."""
        return self._challenge(
            path, ['error="insufficient_scope"', f'scope="{" ".join(refusal.required)}"']
        )

    def _knows(self, credential: bytes) -> bool:
        if digest_of(credential) in self._current.keyring.keys:
            return True
        return self._tokens is not None and self._tokens.remembers(credential)

    def _principal(self, credential: bytes, path: str) -> Principal:
        if credential.startswith(_KEY):
            return self._by_key(credential)
        if self._tokens is None:
            raise TokenRefused("this gateway takes API keys only")
        accepted = self._tokens.accept(credential, self._public + path)
        if self._current.keyring.is_over(accepted.names, accepted.issued):
            raise TokenRefused("the token was revoked")
        return accepted.principal

    def _by_key(self, credential: bytes) -> Principal:
        keyring = self._current.keyring
        key = keyring.keys.get(digest_of(credential))
        if key is None:
            raise TokenRefused("the key is unknown or was revoked")
        if key.expires and key.expires <= self._clock():
            raise TokenExpired("the key has expired")
        if keyring.is_over(key.names, key.created):
            raise TokenRefused("the key, its subject or its client was revoked")
        return key.principal

    def _unauthorized(self, path: str, *error: str) -> tuple[bytes, bytes]:
        """For a log-in: the scopes that the endpoint is of use with (RFC 6750, section 3).

        API keys have the scopes that they were made with: nobody asks for others.
        """
        scopes = " ".join(sorted(self._scopes(path))) if self._tokens is not None else ""
        return self._challenge(path, [*error, *([f'scope="{scopes}"'] if scopes else [])])

    def _challenge(self, path: str, parts: list[str]) -> tuple[bytes, bytes]:
        """Names the metadata where there is an authorization server to find through it.

        The path is what a stranger wrote, so it is quoted.
        """
        if self._tokens is not None:
            metadata = f"{self._public}/.well-known/oauth-protected-resource{quote(path)}"
            parts = [f'resource_metadata="{metadata}"', *parts]
        return b"www-authenticate", ("Bearer " + ", ".join(parts)).strip().encode()
