"""An authorization server for tests: codes, client credentials, token exchange, ID-JAG, jwt-bearer.

It signs what it gives, checks what it is given, and remembers each request. What it does wrong it
does where a test says so (`answers`).
"""

import base64
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from joserfc import jwt
from joserfc.jwk import ECKey

from tests.support.json_server import json_server

TYPE = "urn:ietf:params:oauth:token-type:"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CLIENT, SECRET = "the-gateway", "marked-client-secret"


@dataclass
class Asked:
    """One request at the token endpoint."""

    form: Mapping[str, str]
    client: str


@dataclass
class Authority:
    """One server. `trusts` are servers whose assertions it takes; `keys` those of its clients."""

    url: str = ""
    key: ECKey = field(
        default_factory=lambda: ECKey.generate_key("P-256", {"kid": "k", "use": "sig"})
    )
    asked: list[Asked] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    trusts: list["Authority"] = field(default_factory=list)
    client_key: ECKey | None = None
    expires_in: int = 3600
    used: set[str] = field(default_factory=set)
    metadata: dict[str, Any] = field(default_factory=dict)
    """What it says of itself besides."""
    given: list[str] = field(default_factory=list)
    """Every token that it signed."""

    def signed(self, typ: str = "at+jwt", **claims: Any) -> str:
        now = int(time.time())
        content = {"iss": self.url, "iat": now, "exp": now + self.expires_in, **claims}
        made = jwt.encode({"alg": "ES256", "typ": typ, "kid": "k"}, content, self.key)
        self.given.append(made)
        return made

    def claims(self, token: str) -> dict[str, Any]:
        """Of a token that this server signed. Raises for any other."""
        return dict(jwt.decode(token, self.key, algorithms=["ES256"]).claims)

    def document(self, path: str) -> Any:
        if path.startswith("/.well-known/oauth-protected-resource"):
            return None
        if path == "/jwks":
            return {"keys": [self.key.as_dict(private=False)]}
        return {
            "issuer": self.url,
            "token_endpoint": f"{self.url}/token",
            "authorization_endpoint": f"{self.url}/authorize",
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
            "jwks_uri": f"{self.url}/jwks",
            **self.metadata,
        }

    def token(self, form: Mapping[str, str], authorization: str) -> tuple[int, Any]:
        try:
            client = self._client(form, authorization)
        except (ValueError, KeyError):
            return 401, {"error": "invalid_client"}
        self.asked.append(Asked(form, client))
        try:
            return 200, self._given(form, client) | self.answers
        except Exception:  # noqa: BLE001  # whatever is wrong with it, it is refused
            return 400, {"error": "invalid_grant"}

    def _client(self, form: Mapping[str, str], authorization: str) -> str:
        if self.client_key is not None:
            found = jwt.decode(form["client_assertion"], self.client_key, algorithms=["ES256"])
            said = found.claims
            if (
                said["aud"] != self.url
                or said["exp"] > time.time() + 61
                or said["jti"] in self.used
            ):
                raise ValueError("the assertion is not for here, or not fresh")
            self.used.add(str(said["jti"]))
            return str(said["sub"])
        name, _, secret = (
            base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        )
        if (unquote_plus(name), unquote_plus(secret)) != (CLIENT, SECRET):
            raise ValueError("another client")
        return CLIENT

    def _given(self, form: Mapping[str, str], client: str) -> dict[str, Any]:
        about = {
            "client_id": client,
            "aud": form.get("resource", ""),
            "scope": form.get("scope", ""),
        }
        about["jti"] = str(len(self.asked))
        match form["grant_type"]:
            case "client_credentials" | "authorization_code" | "refresh_token":
                # A code is named as whom it is of; what their ID token says is in `answers`.
                return self._answer(self.signed(sub=form.get("code", client), **about), form)
            case grant if grant == EXCHANGE and form.get("requested_token_type") == TYPE + "id-jag":
                subject = self.claims(form["subject_token"])
                said = about | {"sub": subject["sub"], "aud": form["audience"]}
                given = self.signed("oauth-id-jag+jwt", **said, resource=form.get("resource", ""))
                return self._answer(given, form) | {
                    "issued_token_type": TYPE + "id-jag",
                    "token_type": "N_A",
                }
            case grant if grant == EXCHANGE:
                subject = self.claims(form["subject_token"])
                act = {name: subject[name] for name in ("act",) if name in subject}
                if "actor_token" in form:
                    act = {"act": {"sub": self.claims(form["actor_token"])["sub"], **act}}
                given = self.signed(**about, sub=subject["sub"], **act)
                return self._answer(given, form) | {"issued_token_type": TYPE + "access_token"}
            case grant if grant == JWT_BEARER:
                said = self._vouched(form["assertion"])
                about["aud"] = said["resource"]
                return self._answer(self.signed(**about, sub=said["sub"]), form)
        raise ValueError("no such grant")

    def _vouched(self, assertion: str) -> dict[str, Any]:
        for other in self.trusts:
            said = other.claims(assertion)
            if said["aud"] == self.url and said["jti"] not in self.used:
                self.used.add(said["jti"])
                return said
        raise ValueError("nobody trusted vouches for it")

    def _answer(self, token: str, form: Mapping[str, str]) -> dict[str, Any]:
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "scope": form.get("scope", ""),
        }


@contextmanager
def authority() -> Iterator[Authority]:
    made = Authority()

    def answer(path: str, body: str, authorization: str) -> tuple[int, Any]:
        if body:
            return made.token(dict(parse_qsl(body)), authorization)
        found = made.document(path)
        return (404 if found is None else 200), found

    with json_server(answer) as made.url:
        yield made
