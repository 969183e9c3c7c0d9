"""A broker on sources that count, and what it is asked."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Credential, Grant, GrantKind
from mcp_gateway.core.grants import Granted, GrantKey
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Keyring
from mcp_gateway.core.target import Target
from mcp_gateway.oauth.broker import Broker, Kept
from mcp_gateway.oauth.ports import GrantOptions, Obtained, Source, Wanted
from mcp_gateway.oauth.sources.static import Static
from mcp_gateway.oauth.terms import Terms
from tests.support.calls import ADD, resolved
from tests.support.oauth_fakes import FakeConsents, MemorySecrets

ADA = Principal("local", "ada", "acme")
EVE = Principal("local", "eve", "acme")


@dataclass
class Numbered:
    """Implements `ports.Source`: numbered credentials, each good for `seconds` from `now` on."""

    seconds: float = 100.0
    now: float = 0.0
    wanted: list[Wanted] = field(default_factory=list)
    let: asyncio.Event | None = None

    async def obtain(self, wanted: Wanted) -> Obtained:
        self.wanted.append(wanted)
        number = len(self.wanted)
        if self.let is not None:
            await self.let.wait()
        headers = ((wanted.grant.header, f"Bearer token-{number}"),)
        version = wanted.granted.version if wanted.granted else 0
        named = f"{wanted.grant.kind}:{wanted.server}:{number}"
        return Obtained(Credential(named, headers, wanted.scopes), self.now + self.seconds, version)


@dataclass
class Bench:
    """A broker, and what it stands on."""

    grants: dict[str, Grant]
    source: Numbered = field(default_factory=Numbered)
    consents: FakeConsents = field(default_factory=FakeConsents)
    given: dict[GrantKey, Granted] = field(default_factory=dict)
    secrets: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    of_gateway: dict[str, Grant] = field(default_factory=dict)
    kept: Kept = field(default_factory=Kept)

    def __post_init__(self) -> None:
        self.terms = self._terms(self.grants)
        self.broker = self.made()

    def made(self) -> Broker:
        kinds: list[GrantKind] = ["service", "delegated", "token_exchange"]
        sources: dict[GrantKind, Source] = dict.fromkeys(kinds, self.source)
        sources["static"] = Static(MemorySecrets(), self.consents)
        return Broker(
            self.terms,
            self._terms(self.of_gateway),
            sources,
            self.consents,
            lambda: Keyring(grants=self.given),
            self.kept,
            lambda: self.source.now,
        )

    def _terms(self, grants: Mapping[str, Grant]) -> dict[str, Terms]:
        def of(name: str, grant: Grant) -> Terms:
            read = self.secrets.get(name, lambda: "")
            return Terms(name, f"https://{name}/mcp", grant, GrantOptions(secret=read))

        return {name: of(name, grant) for name, grant in grants.items()}

    async def shown(self, target: Target = ADD, principal: Principal = ADA) -> str:
        return header_of(await self.broker.credential(call_of(target, principal)))


def call_of(target: Target = ADD, principal: Principal = ADA) -> Call:
    return replace(resolved(target), principal=principal)


def header_of(credential: Credential) -> str:
    return credential.headers[0][1] if credential.headers else ""
