"""What the parts of OAuth need of each other, in memory: for tests of one of them alone."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.ports import Brought, Person, Place


@dataclass
class MemorySecrets:
    """Implements `ports.Secrets`, sealing nothing."""

    kept: dict[Place, tuple[int, Mapping[str, Any]]] = field(default_factory=dict)

    async def put(self, place: Place, value: Mapping[str, Any]) -> int:
        version = self.kept.get(place, (0, {}))[0] + 1
        self.kept[place] = version, dict(value)
        return version

    async def get(self, place: Place) -> Mapping[str, Any]:
        return self.kept[place][1]

    async def drop(self, place: Place) -> None:
        self.kept.pop(place, None)


@dataclass
class FreeLeases:
    """Implements `ports.Leases` where nobody else wants one."""

    names: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def held(self, name: str, seconds: float) -> AsyncIterator[None]:  # noqa: ARG002
        self.names.append(name)
        yield


@dataclass
class FakeConsents:
    """Implements `ports.Consents`, and remembers what it was told."""

    asked: list[tuple[str, str, frozenset[str]]] = field(default_factory=list)
    broke: list[tuple[str, str]] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)

    async def link(
        self,
        principal: Principal,
        server: str,
        scopes: frozenset[str],
        call: str,  # noqa: ARG002
    ) -> str:
        self.asked.append((principal.identity, server, scopes))
        return f"http://127.0.0.1/connect/{len(self.asked)}"

    async def broken(self, principal: Principal, server: str, reason: str) -> None:  # noqa: ARG002
        self.broke.append((server, reason))

    async def refreshed(self, principal: Principal, server: str) -> None:  # noqa: ARG002
        self.renewed.append(server)


@dataclass
class FakeBrowsers:
    """Implements `ports.Browsers`: a cookie is whoever the test says it is."""

    people: dict[str, Principal] = field(default_factory=dict)

    async def who(self, cookie: str) -> Person | None:
        found = self.people.get(cookie)
        return Person("person:1", found, name=found.subject) if found else None


@dataclass
class FakeConnecting:
    """Implements `ports.Connecting`: an authorization server that is never asked anything."""

    brought: Brought = field(default_factory=lambda: Brought({"access_token": "at-1"}))
    failure: Exception | None = None
    began: list[tuple[str, frozenset[str], str]] = field(default_factory=list)
    redeemed: list[Mapping[str, str]] = field(default_factory=list)
    revoked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    async def begin(self, server: str, scopes: frozenset[str], state: str, callback: str) -> str:  # noqa: ARG002
        self.began.append((server, scopes, state))
        return f"https://as.example/authorize?state={state}"

    async def finish(
        self,
        server: str,  # noqa: ARG002
        state: str,  # noqa: ARG002
        query: Mapping[str, str],
        callback: str,  # noqa: ARG002
    ) -> Brought:
        self.redeemed.append(query)
        if self.failure is not None:
            raise self.failure
        return self.brought

    async def revoke(self, server: str, tokens: Mapping[str, Any]) -> None:
        if self.failure is not None:
            raise self.failure
        self.revoked.append((server, tokens))
