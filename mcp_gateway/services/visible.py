"""Visible: what of the catalog is in one caller's lists, where each connects servers themselves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from mcp_gateway.core.call import Call
from mcp_gateway.core.grants import Granted, GrantKey, grant_key
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Upstream, Wording
from mcp_gateway.core.target import Target
from mcp_gateway.core.views import View
from mcp_gateway.services.catalog import connects
from mcp_gateway.services.outcomes import is_known
from mcp_gateway.services.servers import NobodyYet


@dataclass(frozen=True, slots=True)
class Sight:
    """`unconnected` are the servers that the caller has yet to connect, or to connect again.

    `stamp` differs whenever what is visible does, for the same caller and catalog.
    """

    unconnected: frozenset[str]
    known: frozenset[str]
    views: Mapping[str, View]
    stamp: tuple[tuple[str, int, int], ...]
    wordings: Mapping[Wording, Target] = field(default_factory=dict)

    def worded(self, target: Target) -> Target:
        """As the person's own list has it, where that wording was reviewed."""
        view = self.views.get(target.server)
        if view is None:
            return target
        digest = view.names.get((target.kind, target.name), "")
        return self.wordings.get((target.kind, target.server, target.name, digest), target)

    def shows(self, target: Target) -> bool:
        """In place of what a server offers there is, until it is connected, what connects it.

        Afterwards there is what the person's own list has, in the wording that was reviewed; and
        nothing until that list is known.
        """
        if target.server in self.unconnected:
            return False
        if target.server in self.views:
            view = self.views[target.server]
            return view.names.get((target.kind, target.name)) == target.digest
        server = connects(target)
        return not server or (server in self.unconnected and server in self.known)


EXCHANGED: Final = 1
"""The version where nobody consents."""
EVERYTHING: Final = Sight(frozenset(), frozenset(), {}, ())
"""Where nobody connects anything."""


def sight_of(call: Call) -> Sight:
    """As far as the keyring of the call's snapshot knows."""
    versions = dict(_versions(call))
    if not versions:
        return EVERYTHING
    unconnected = frozenset(server for server, version in versions.items() if not version)
    known = frozenset(server for server in unconnected if is_known(call, server))
    connected = versions.keys() - unconnected
    views = {server: _view(call, server) for server in connected}
    stamp = tuple((s, v, views[s].stamp if s in views else 0) for s, v in versions.items())
    return Sight(unconnected, known, views, stamp, call.snapshot.wordings)


def personal_servers(call: Call) -> Sequence[Upstream]:
    """Those whose list is the caller's own, and can be asked for."""
    return [call.snapshot.upstreams[server] for server, version in _versions(call) if version]


def is_connected(call: Call, server: str) -> bool:
    """Whether the caller has a grant there that still opens it."""
    granted = call.snapshot.keyring.grants.get(grant_key(call.principal, server))
    return granted is not None and granted.state == "connected"


def _view(call: Call, server: str) -> View:
    return call.snapshot.views.of(call.snapshot.upstreams[server].whose(call.principal))


def _versions(call: Call) -> Iterator[tuple[str, int]]:
    """Of the grant to each server whose list is personal; 0 where there is none that opens it.

    Where what the caller came with is exchanged there is nothing to consent to, nor to renew.
    """
    for name, upstream in call.snapshot.upstreams.items():
        if not upstream.personal:
            continue
        if not upstream.grant.connected:
            yield name, EXCHANGED
        else:
            granted = call.snapshot.keyring.grants.get(grant_key(call.principal, name))
            opens = granted is not None and granted.state == "connected"
            yield name, granted.version if granted and opens else 0


def first_connected(grants: Mapping[GrantKey, Granted], server: str) -> Principal:
    """Somebody who has connected it. Raises NobodyYet."""
    for (tenant, issuer, subject, upstream), granted in grants.items():
        if upstream == server and granted.state == "connected":
            return Principal(issuer, subject, tenant)
    raise NobodyYet(f"nobody has connected {server} yet")
