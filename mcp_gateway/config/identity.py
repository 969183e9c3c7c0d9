"""Who calls."""

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from mcp_gateway.config.sections import (
    Endpoint,
    RoleMap,
    Scope,
    Secret,
    Section,
    faults_as_one,
    on_this_machine,
)
from mcp_gateway.oauth.rfc9068 import ALGORITHMS


class Identity(Section):
    """Who calls. Without an `issuer` API keys authenticate, and tokens of our own.

    `client` is the gateway at the issuer: it asks there for assertions (`id_jag`), and at
    `introspection` whether tokens are still good. `backchannel` are the clients of the issuer
    whose log-outs it tells the gateway of.

    A claim may be a path, such as `realm_access.roles`. A map that is not empty is the whole of
    what its claim can give.
    """

    issuer: str = ""
    audience: str = ""
    jwks: str = ""
    algorithms: list[str] = Field(["RS256", "ES256", "Ed25519", "EdDSA"], min_length=1)
    max_token_lifetime: int = Field(default=3600, gt=0)
    roles_claim: str = "roles"
    role_map: RoleMap = {}
    tenant_claim: str = ""
    tenant_map: dict[str, str] = {}
    scopes: list[Scope] = []
    client: str = ""
    client_secret: Secret | None = None
    introspection: Endpoint = ""
    backchannel: list[Annotated[str, Field(min_length=1)]] = []
    anonymous: bool = False
    aliases: dict[str, str] = {}
    revocation: float = Field(default=1.0, ge=0)

    @property
    def ttl_ms(self) -> int:
        """Milliseconds for which an answer may be kept: no longer than a revocation takes."""
        return int(self.revocation * 1000)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if unknown := sorted(set(self.algorithms) - ALGORITHMS):
            raise ValueError(f"algorithms: {', '.join(unknown)} cannot be allowed")
        for name, url in (("issuer", self.issuer), ("jwks", self.jwks)):
            if url and not (url.startswith("https://") or on_this_machine(url)):
                raise ValueError(f"{name} is an https URL, or one of this machine")
        if "?" in self.issuer or "#" in self.issuer:
            raise ValueError("issuer is a URL without query and fragment")
        return faults_as_one(self, self._faults())

    def _faults(self) -> Iterator[str]:
        if self.client_secret and not self.client:
            yield "client_secret is of a client, which is not named"
        if self.client and not self.issuer:
            yield "client is the gateway's at an issuer, which is not named"
        if self.introspection and not self.client:
            yield "introspection is asked as a client, which is not named"
        if self.backchannel and not self.issuer:
            yield "backchannel hears of log-outs at an issuer, which is not named"
        if self.tenant_map and not self.tenant_claim:
            yield "tenant_map maps the values of a tenant_claim, which is not named"
