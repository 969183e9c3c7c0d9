"""Upstreams."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_serializer,
    field_validator,
    model_validator,
)

from mcp_gateway.config.catalogued import catalogued, found
from mcp_gateway.config.governance import Governance
from mcp_gateway.config.grants import DiscoveryGrant, GrantSection
from mcp_gateway.config.sections import Scope, faults_as_one


class Server(BaseModel):
    """One upstream. What else stands in its section is its connector's own.

    At most `concurrency` requests are at it at once, and `queue` wait; after `breaker` failures in
    a row it is left alone for a while. `idempotent` tools may be sent twice.

    `discovery` says how its list becomes known where callers have credentials of their own: to
    the gateway itself (with the `discovery_grant`), with the first caller who connects, or not.

    `connector = "catalog:<name>"` stands for the connector of that entry of the catalogue, and what
    the section does not say is the entry's; `entry` is its name.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    connector: str
    entry: str = ""
    grant: GrantSection = GrantSection()
    discovery: Literal["service", "first_grant", "pinned"] = "service"
    discovery_grant: DiscoveryGrant | None = None
    guard: str = "standard"
    trust: Literal["review", "follow"] = "review"
    requires: frozenset[Scope] = frozenset()
    concurrency: int = Field(default=64, ge=1, le=100_000)
    queue: int = Field(default=256, ge=0, le=100_000)
    breaker: int = Field(default=5, ge=0)
    idempotent: frozenset[str] = frozenset()
    governance: Governance = Governance()

    @model_validator(mode="before")
    @classmethod
    def _catalogued(cls, section: Any) -> Any:
        return catalogued(section) if isinstance(section, Mapping) else section

    @field_validator("entry")
    @classmethod
    def _known(cls, name: str) -> str:
        if name:
            found(name)
        return name

    @field_serializer("requires", "idempotent", when_used="json")
    def _sorted(self, words: frozenset[str]) -> list[str]:
        """In one order: a digest is taken of what this comes to."""
        return sorted(words)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        return faults_as_one(self, self._faults())

    def _faults(self) -> Iterator[str]:
        if self.discovery_grant and self.discovery != "service":
            yield "discovery_grant is shown by discovery = 'service' only"
        if not self.grant.personal and (self.discovery == "first_grant" or self.discovery_grant):
            yield "first_grant and discovery_grant are for grants that each caller has of their own"

    def own(self) -> dict[str, Any]:
        """What the connector's model validates."""
        return dict(self.model_extra or {})
