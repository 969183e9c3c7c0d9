"""Grants: which credential an upstream is shown, and what is needed to obtain it."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, model_validator

from mcp_gateway.config.sections import (
    Endpoint,
    Issuer,
    Scope,
    Secret,
    Section,
    endpoint,
    faults_as_one,
)
from mcp_gateway.core.credential import PERSONAL, Grant, GrantKind

AuthMethod = Literal["", "none", "client_secret_basic", "client_secret_post", "private_key_jwt"]


def _resource(text: str) -> str:
    return text if text == UNSENT else endpoint(text)


UNSENT: Final = "-"
"""The `resource` of an authorization server that does not take one."""
Resource = Annotated[str, AfterValidator(_resource)]

_CLIENT: Final = frozenset({"client", "client_secret", "client_key", "auth_method"})
_ASKED: Final = frozenset({"scopes", "tools", "issuer", "token", "resource"}) | _CLIENT
_EXCHANGED: Final = frozenset({"audience"}) | _ASKED
USED: Final[Mapping[GrantKind, frozenset[str]]] = {
    "none": frozenset(),
    "static": frozenset({"secret", "per_user"}),
    "service": _ASKED,
    "delegated": _ASKED | {"client_metadata", "authorize", "downscope"},
    "token_exchange": _EXCHANGED | {"actor"},
    "id_jag": _EXCHANGED | {"provider"},
}
"""Which keys mean something to a kind, beside `kind`, `header` and `prefix`."""
CONFIDENTIAL: Final = frozenset({"service", "token_exchange", "id_jag"})
"""Kinds whose requests for tokens are the gateway's own: it proves who it is."""
UNPERSONAL: Final = frozenset({"none", "static", "service"})
_SECRETS: Final[Mapping[str, str]] = {
    "client_secret_basic": "client_secret",
    "client_secret_post": "client_secret",
    "private_key_jwt": "client_key",
}


class GrantSection(Section):
    """Which credential an upstream is shown.

    `tools` maps patterns of targets to the scopes that a call needs beside `scopes`. What is
    empty of `issuer`, `authorize`, `token` and `resource` is discovered at the upstream.
    """

    kind: GrantKind = "none"
    header: str = "Authorization"
    prefix: str = "Bearer "
    secret: Secret | None = None
    per_user: bool = False
    scopes: list[Scope] = []
    tools: dict[str, list[Scope]] = {}
    client: str = ""
    client_secret: Secret | None = None
    client_key: Secret | None = None
    client_metadata: Endpoint = ""
    auth_method: AuthMethod = ""
    issuer: Issuer = ""
    authorize: Endpoint = ""
    token: Endpoint = ""
    resource: Resource = ""
    downscope: bool = False
    audience: str = ""
    actor: bool = False
    provider: Endpoint = ""

    @property
    def personal(self) -> bool:
        """Whether each caller has a credential of their own."""
        return self.per_user or self.kind in PERSONAL

    def terms(self) -> Grant:
        """What a call has to know of it."""
        return Grant(
            self.kind,
            self.header,
            self.prefix,
            scopes=frozenset(self.scopes),
            per_user=self.per_user,
            tools=tuple((pattern, frozenset(scopes)) for pattern, scopes in self.tools.items()),
            downscope=self.downscope,
        )

    def unused(self) -> list[str]:
        """Keys that are set and mean nothing to the kind."""
        used = USED[self.kind] | {"kind", "header", "prefix"}
        fields = type(self).model_fields
        return [
            name
            for name, field in fields.items()
            if name not in used and getattr(self, name) != field.default
        ]

    @model_validator(mode="after")
    def _supported(self) -> Self:
        return faults_as_one(self, self._faults())

    def _faults(self) -> Iterator[str]:
        if unused := self.unused():
            yield f"a grant of kind {self.kind} has no {', '.join(unused)}"
        if self.kind == "static" and (self.secret is None) != self.per_user:
            yield "a static grant has a secret, or per_user = true for one of each caller's"
        yield from self._client_faults()

    def _client_faults(self) -> Iterator[str]:
        if self.client_secret and self.client_key:
            yield "a client proves who it is with client_secret or with client_key"
        proof = self.client_secret or self.client_key
        if self.kind in CONFIDENTIAL and not (self.client and proof):
            yield f"a grant of kind {self.kind} has a client, and its client_secret or client_key"
        if proof and not (self.client or self.client_metadata):
            yield "client_secret and client_key are of a client, which is not named"
        if self.client and self.client_metadata:
            yield "a client is named by client, or by the client_metadata at its URL"
        if self.client_secret and self.client_metadata:
            yield "a client whose client_metadata is public has no client_secret; it has client_key"
        needed = _SECRETS.get(self.auth_method)
        if needed and getattr(self, needed) is None:
            yield f"auth_method {self.auth_method} needs {needed}"
        if self.auth_method == "none" and (proof or self.kind in CONFIDENTIAL):
            yield "auth_method none is for a client without client_secret and client_key"


class DiscoveryGrant(GrantSection):
    """What the gateway itself shows an upstream whose callers have credentials of their own."""

    @model_validator(mode="after")
    def _of_nobody(self) -> Self:
        if self.kind not in UNPERSONAL or self.per_user:
            raise ValueError("discovery_grant is for nobody: of kind none, static or service")
        return self
