"""Offers: the capabilities of an endpoint, which are what its upstreams offer and is relayed."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mcp_gateway.core.asking import NOT_OFFERED, Offered
from mcp_gateway.core.call import Call
from mcp_gateway.core.snapshot import GATEWAY
from mcp_gateway.core.target import Target
from mcp_gateway.wire import jsonrpc, modern

ALWAYS: Final[Mapping[str, Any]] = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
    "completions": {},
}
"""What the gateway answers itself or passes on, whatever an upstream says of it."""
ANYWHERE: Final = frozenset({modern.UI})
"""The extensions that are data alone: they pass between eras, and the others do not."""
EVERYWHERE: Final = frozenset({modern.UI, modern.TASKS})
"""The extensions whose requests find their server where several are met."""


def capabilities(call: Call, *, newest: bool) -> Mapping[str, Any]:
    """What is declared to this caller, who speaks the `newest` revision or an older one.

    Of servers that the caller may not know nothing is said, so nothing of what they offer.
    """
    upstreams = call.snapshot.upstreams
    if call.endpoint:
        upstream = upstreams.get(call.endpoint)
        offered = upstream.offered if upstream else NOT_OFFERED
        return _declared([offered], modern.EXTENSIONS, newest=newest)
    known = [u.offered for n, u in upstreams.items() if n != GATEWAY and visible(call, n)]
    return {**ALWAYS, **_declared(known, EVERYWHERE, newest=newest)}


def visible(call: Call, server: str) -> bool:
    """Whether the caller may know of a server."""
    target = Target("catalog", server, "tools/list")
    return call.snapshot.policy.prospect(call, target) != "deny"


def _declared(
    offers: Iterable[Offered], relayed: Iterable[str], *, newest: bool
) -> Mapping[str, Any]:
    """What any of them offers. One that was never asked may have all that is always there."""
    found: dict[str, Any] = {}
    extensions: dict[str, Any] = {}
    for offered in offers:
        if offered.capabilities is None:
            found.update(ALWAYS)
            continue
        found.update({name: ALWAYS[name] for name in ALWAYS if name in offered.capabilities})
        if newest and "logging" in offered.capabilities:
            found["logging"] = {}
        said = _objects(offered.capabilities.get("extensions", b""))
        passing = relayed if newest and offered.era == "modern" else ANYWHERE
        extensions.update({name: said[name] for name in passing if name in said})
    if extensions:
        found["extensions"] = dict(sorted(extensions.items()))
    return found


def _objects(raw: bytes) -> Mapping[str, Any]:
    """The members that are objects. It is a claim: what is none claims nothing."""
    try:
        said = jsonrpc.decode(raw)
    except ValueError:
        return {}
    if not isinstance(said, dict):
        return {}
    return {name: value for name, value in said.items() if isinstance(value, dict)}
