"""Verifiers: the tokens of several issuers, each looked at with the keys of the one it names."""

import hashlib
from collections.abc import Sequence

from mcp_gateway.oauth.claims import TokenRefused
from mcp_gateway.oauth.rfc9068 import Accepted, AccessTokens, issuer_of


class Verifiers:
    """Implements `ports.Tokens` for the gateway's own server beside an issuer outside.

    What was verified before is found by its SHA-256, whoever issued it. A stranger's token costs
    no look at any key: what it says of its issuer decides, and the keys of that one alone.
    """

    def __init__(self, *issuers: AccessTokens) -> None:
        self._of = {tokens.issuer: tokens for tokens in issuers}

    @property
    def issuers(self) -> Sequence[str]:
        return tuple(self._of)

    @property
    def ready(self) -> bool:
        return all(tokens.ready for tokens in self._of.values())

    def remembers(self, token: bytes) -> bool:
        digest = hashlib.sha256(token).digest()
        return any(tokens.knows(digest) for tokens in self._of.values())

    def accept(self, token: bytes, resource: str) -> Accepted:
        """A token of one of the issuers, for the resource that is asked for.

        Raises TokenRefused.
        """
        digest = hashlib.sha256(token).digest()
        for tokens in self._of.values():
            if tokens.knows(digest):
                return tokens.accepted(digest, token, resource)
        named = self._of.get(issuer_of(token))
        if named is None:
            raise TokenRefused("the token is of another issuer")
        return named.accepted(digest, token, resource)
