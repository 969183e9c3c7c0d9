"""Snapshot: the one world that a call sees, and Current, which swaps it whole."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from mcp_gateway.core.asking import NOT_OFFERED, Offered
from mcp_gateway.core.credential import NO_GRANT, Grant
from mcp_gateway.core.decision import NEVER, STANDING, Decision, Obligation, Side, by_side
from mcp_gateway.core.entry import Common
from mcp_gateway.core.errors import Forbidden
from mcp_gateway.core.grants import Granted, GrantKey, grant_key
from mcp_gateway.core.lists import Lists
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.target import Definition, Kind, Target
from mcp_gateway.core.views import NO_VIEWS, ViewKey, Views

if TYPE_CHECKING:
    from mcp_gateway.core.body import Result
    from mcp_gateway.core.call import Call, Next
    from mcp_gateway.core.ports import Connector, Policy

GATEWAY: Final = "gateway"
"""The upstream that is the gateway itself: its tools, listings, skills and operations."""

Described = tuple[Principal, Target, str, str, str]
"""Principal, target, method, endpoint and client of a call."""
Wording = tuple[Kind, str, str, str]
"""Kind, server, the upstream's own name, and the digest of one definition of it."""
_OWN: Final = frozenset({"catalog", "subscription"})
_NOBODY: Final = by_side(STANDING | NEVER)


@dataclass(frozen=True)
class Upstream:
    """A registered server: how to reach it, and what is owed for every call to it.

    `guard` is a profile's name; "none" is a profile too, which the stage discharges.
    `trouble` says in words why its tools are absent, empty while it answers. `offered` is what it
    said of itself.
    """

    name: str
    connector: "Connector"
    grant: Grant = NO_GRANT
    guard: str = "standard"
    obligations: frozenset[Obligation] = frozenset()
    trouble: str = ""
    offered: Offered = NOT_OFFERED

    @property
    def personal(self) -> bool:
        """Whether each person shows it a credential, and may see a list, of their own."""
        return self.grant.personal

    def whose(self, principal: Principal) -> ViewKey:
        """Who sees the same list there as this caller, where it is personal.

        An exchanged credential says with what it was asked for: whoever comes with less may be
        shown less.
        """
        return grant_key(principal, self.name) if self.grant.connected else (principal, self.name)

    @cached_property
    def owed(self) -> frozenset[Obligation]:
        guards = (Obligation("guard", self.guard), Obligation("guard", self.guard, "result"))
        return STANDING.union(guards, self.obligations)

    @cached_property
    def owed_on(self) -> Mapping[Side, frozenset[Obligation]]:
        return by_side(self.owed)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A registered key: whom it stands for, until when (0 is for ever) and since when.

    Times are Unix seconds.
    """

    id: str
    principal: Principal
    expires: int = 0
    created: int = 0

    @property
    def names(self) -> frozenset[str]:
        """Those by which it can be revoked."""
        one = self.principal
        return frozenset({f"key:{self.id}", f"subject:{one.identity}", f"client:{one.client}"})


@dataclass(frozen=True, slots=True)
class Keyring:
    """What authentication looks up: swapped alone, within a second of a change.

    `keys` maps the SHA-256 of an API key to what it stands for. `revoked` holds names in the
    form `key:<id>`, `token:<issuer>|<jti>`, `subject:<issuer>|<subject>`, `client:<id>`,
    `session:<issuer>|<sid>`, `sessionless:<issuer>|<subject>` (tokens of theirs that name no
    session) and `family:<id>`. `ended` maps such names to Unix seconds: what was
    issued then or before is over.
    `grants` has what each person connected, so that no call has to look into the store.
    """

    keys: Mapping[bytes, ApiKey] = field(default_factory=dict)
    revoked: frozenset[str] = frozenset()
    generation: int = 0
    grants: Mapping[GrantKey, Granted] = field(default_factory=dict)
    ended: Mapping[str, int] = field(default_factory=dict)

    def in_force(self, digest: bytes, now: float) -> ApiKey | None:
        """The key with this SHA-256; None where it is unknown, expired or revoked."""
        key = self.keys.get(digest)
        if key is None or (key.expires and key.expires <= now):
            return None
        return None if self.is_over(key.names, key.created) else key

    def is_over(self, names: frozenset[str], issued: int) -> bool:
        """Whether what goes by these names, and was issued then, is revoked."""
        if not self.revoked.isdisjoint(names):
            return True
        if self.ended.keys().isdisjoint(names):  # as nearly always, and many times as fast
            return False
        return any(self.ended.get(name, -1) >= issued for name in names)


Hear = Callable[["Call", "Next"], Awaitable["Result"]]
"""What an upstream said by itself, through the stages of the call that would ask for it."""


async def unanswered(call: "Call") -> "Result":
    """The chain of a snapshot that was given none."""
    raise Forbidden(f"nothing answers {call.method}")


async def unheard(call: "Call", said: "Next") -> "Result":  # noqa: ARG001  # its kind's
    """The same for what an upstream says by itself."""
    raise Forbidden(f"nothing is heard of {call.method}")


@dataclass(frozen=True, slots=True)
class Chains:
    """The stages of one configuration, around calls and around what is said without any."""

    answer: "Next"
    hear: Hear = unheard


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One tenant's upstreams, catalog and policy, of one generation. Built off the path.

    `catalog` maps (kind, the name that downstreams use at /mcp) to the target; for resources
    and templates that name is the URI (template). `local` maps (kind, server, the upstream's own
    name) to the same targets, for /servers/<name>/mcp. `definitions` maps a digest to what was
    reviewed. `held` maps a target's text to the reason for which it is absent. `claims` has who may
    be meant by a URI (template) that no one target of `catalog` has: several servers list it, or a
    tool shows it that its server does not list. `wordings` has the targets of those servers whose
    lists are personal, which may show a name to different people in different words.
    """

    tenant: str
    generation: int
    digest: str
    upstreams: Mapping[str, Upstream]
    catalog: Mapping[tuple[Kind, str], Target]
    local: Mapping[tuple[Kind, str, str], Target]
    definitions: Mapping[str, Definition]
    policy: "Policy"
    keyring: Keyring = Keyring()
    held: Mapping[str, str] = field(default_factory=dict)
    claims: Mapping[tuple[Kind, str], tuple[Target, ...]] = field(default_factory=dict)
    wordings: Mapping[Wording, Target] = field(default_factory=dict)
    described: dict[Described, tuple[Decision, Common]] = field(
        default_factory=dict, repr=False, compare=False
    )
    """What entries say alike, remembered for as long as the snapshot is in force."""
    listed: Lists = field(default_factory=Lists, repr=False, compare=False)
    """Lists as they were rendered, for as long as policy and catalog are what they are."""
    views: Views = field(default=NO_VIEWS, repr=False, compare=False)
    """What each person's own list showed: the same object in every snapshot."""
    chain: "Next" = field(default=unanswered, repr=False)
    """The stages, with the limits, guards and secrets of the same configuration."""
    hear: Hear = field(default=unheard, repr=False)
    """Those of them that what an upstream says by itself has to pass."""

    def owed(self, server: str) -> frozenset[Obligation]:
        """What every call to this server owes; for an unknown one, what nobody can discharge."""
        upstream = self.upstreams.get(server)
        return upstream.owed if upstream else STANDING | NEVER

    def owed_on(self, side: Side, server: str) -> frozenset[Obligation]:
        """The part of `owed` that is owed on one side."""
        upstream = self.upstreams.get(server)
        return upstream.owed_on[side] if upstream else _NOBODY[side]

    def connector(self, target: Target) -> "Connector":
        """Who answers: listings and listens are the gateway's own, whichever server they are of.

        Raises KeyError for a server that is not registered.
        """
        server = GATEWAY if target.kind in _OWN else target.server
        return self.upstreams[server].connector


class Current:
    """The snapshot in force for each tenant, and the keyring. Readers keep what they picked up."""

    def __init__(self) -> None:
        self._snapshots: dict[str, Snapshot] = {}
        self._watchers: list[Callable[[], None]] = []
        self.keyring = Keyring()

    def of(self, tenant: str) -> Snapshot | None:
        """The tenant's snapshot, or None for a tenant that has none."""
        return self._snapshots.get(tenant)

    @property
    def tenants(self) -> Mapping[str, Snapshot]:
        return dict(self._snapshots)

    def swap(self, new: Snapshot) -> None:
        """Puts a snapshot in force, with the keyring of the moment."""
        self._snapshots[new.tenant] = replace(new, keyring=self.keyring)
        self._announce()

    def swap_keyring(self, new: Keyring) -> None:
        """Puts a keyring in force for every tenant: no discovery, no cold policy."""
        self.keyring = new
        for tenant, snapshot in self._snapshots.items():
            self._snapshots[tenant] = replace(snapshot, keyring=new)
        self._announce()

    def watch(self, changed: Callable[[], None]) -> None:
        """Calls `changed` after every swap."""
        self._watchers.append(changed)

    def _announce(self) -> None:
        for changed in self._watchers:
            changed()
