"""The embedded authorization server: its tokens, its clients, and where people log in."""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from mcp_gateway.config.sections import (
    Algorithm,
    Block,
    Endpoint,
    Issuer,
    Role,
    RoleMap,
    Scope,
    Secret,
    Section,
)
from mcp_gateway.limits.bucket import Rate

YEAR: Final = 31_536_000
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]{0,63}")
NEVER_PRIVATE: Final = frozenset(
    {"about", "blob", "data", "file", "filesystem", "ftp", "http", "https", "javascript"}
    | {"mailto", "tel", "vbscript", "view-source", "ws", "wss"}
)
"""Schemes that a browser or the web has a meaning for: no program can be sent a code by them."""


def _limit(text: str) -> str:
    Rate.parse(text)
    return text


def _scheme(text: str) -> str:
    if not _SCHEME.fullmatch(text) or text in NEVER_PRIVATE:
        raise ValueError("it is a scheme of one program's own, as cursor, without a colon")
    return text


ClientName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$")]


class LoginSection(Section):
    """The provider at which people log in: one of OpenID Connect. Its log-in is ours to start."""

    issuer: Issuer = Field(min_length=1)
    client: str = Field(min_length=1)
    secret: Secret | None = None
    scopes: list[Scope] = ["openid", "profile", "offline_access"]
    name: str = "your organisation"
    roles_claim: str = "roles"
    role_map: RoleMap = {}
    default_roles: list[Role] = ["user"]

    @model_validator(mode="after")
    def _says_who(self) -> Self:
        if "openid" not in self.scopes:
            raise ValueError("scopes has openid: without it the provider does not say who it was")
        return self


class WorkloadSection(Section):
    """A program that acts for itself, by the client-credentials grant."""

    secret: Secret | None = None
    jwks: str = ""
    roles: list[Role] = []
    scopes: list[Scope] = []
    mode: str = Field(default="unattended", pattern=r"^[a-z][a-z_-]*$")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.secret) == bool(self.jwks):
            raise ValueError("a client has either a secret or a jwks")
        return self


class AssertionSection(Section):
    """An identity provider whose ID-JAGs are taken for tokens of the gateway's."""

    issuer: Issuer = Field(min_length=1)
    jwks: Endpoint = ""
    clients: dict[str, str] = {}
    roles_claim: str = "roles"
    role_map: RoleMap = {}
    algorithms: list[Algorithm] = Field(["RS256", "ES256"], min_length=1)


class AuthorizationSection(Section):
    """The embedded authorization server, off unless it is `enabled`. Times are in seconds."""

    enabled: bool = False
    access_token: float = Field(default=3600.0, ge=320, le=86_400)
    refresh_token: float = Field(default=2_592_000.0, gt=0, le=YEAR)
    refresh_family: float = Field(default=7_776_000.0, gt=0, le=YEAR)
    refresh_grace: float = Field(default=10.0, ge=0, le=60)
    code: float = Field(default=60.0, gt=0, le=600)
    documents: Literal["fetch", "pinned"] = "fetch"
    pinned: list[str] = []
    private_documents: list[Block] = []
    registration: bool = True
    registration_each: Annotated[str, AfterValidator(_limit)] = "10/minute"
    private_schemes: list[Annotated[str, AfterValidator(_scheme)]] = []
    scopes: list[Scope] = ["mcp"]
    passwords: bool = True
    keys: bool = True
    login: LoginSection | None = None
    clients: dict[ClientName, WorkloadSection] = {}
    assertions: dict[ClientName, AssertionSection] = {}

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.refresh_family < self.refresh_token:
            raise ValueError("refresh_family is at least refresh_token: a token ends with its own")
        issuers = [section.issuer for section in self.assertions.values()]
        if len(set(issuers)) < len(issuers):
            raise ValueError("assertions: two sections have the same issuer")
        return self
