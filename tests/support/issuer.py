"""An issuer on this machine: its metadata, its keys, and the tokens that it signs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.support.json_server import json_server


@dataclass
class Issuer:
    """`key` signs; only its public half is published."""

    url: str
    key: RSAKey = field(
        default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k-1", "use": "sig"})
    )

    def token(self, subject: str, audience: str, **claims: Any) -> str:
        now = int(time.time())
        content = {
            "iss": self.url,
            "sub": subject,
            "aud": audience,
            "iat": now,
            "exp": now + 300,
            "jti": f"{subject}-{now}",
            "client_id": "runtime",
        }
        head = {"alg": "RS256", "kid": "k-1", "typ": "at+jwt"}
        return jwt.encode(head, content | claims, self.key)

    def logout(self, subject: str, **claims: Any) -> str:
        """A logout token for the runtime; a claim of None is left out."""
        now = int(time.time())
        content: dict[str, Any] = {
            "iss": self.url,
            "sub": subject,
            "aud": "runtime",
            "iat": now,
            "exp": now + 120,
            "jti": f"{subject}-{time.monotonic_ns()}",
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        }
        said = {name: value for name, value in (content | claims).items() if value is not None}
        return jwt.encode({"alg": "RS256", "kid": "k-1", "typ": "logout+jwt"}, said, self.key)

    def document(self, path: str) -> Any:
        if path == "/jwks":
            return {"keys": [self.key.as_dict(private=False)]}
        return {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"}


@contextmanager
def issuer() -> Iterator[Issuer]:
    made = Issuer("")
    with json_server(lambda path, *_: (200, made.document(path))) as made.url:
        yield made
