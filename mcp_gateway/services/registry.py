"""The registry: configured servers in the form that registries list, as they are reached here."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import urlsplit

from connectors.entries import META, entry
from connectors.server_json import SCHEMA
from mcp_gateway.config import Server, Settings
from mcp_gateway.core.call import Call
from mcp_gateway.core.snapshot import GATEWAY
from mcp_gateway.services.outcomes import is_known

OFFICIAL: Final = "io.modelcontextprotocol.registry/official"
LATEST: Final = "latest"


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the servers, by their names here; `last` is empty when there are no more."""

    names: Sequence[str]
    last: str = ""


@dataclass(frozen=True, slots=True)
class Registry:
    """`release` is the version of every endpoint: they change with the gateway, and only with it.

    `public` is the gateway's URL, as callers see it.
    """

    public: str
    servers: Mapping[str, Server]
    release: str

    @classmethod
    def of(cls, settings: Settings) -> "Registry":
        return cls(settings.public, settings.servers, version("mcp-gateway"))

    def name_of(self, server: str) -> str:
        """The name that registries know it by: the gateway's host, reversed, and the server."""
        return f"{namespace(self.public)}/{server}"

    def page(self, names: Iterable[str], after: str, limit: int, search: str = "") -> Page:
        """Those of the names that follow `after`, and whose registered names have `search` in them.

        At most `limit`, in one order.
        """
        found = sorted(n for n in names if n > after and search in self.name_of(n))
        more = len(found) > limit
        return Page(found[:limit], found[limit - 1] if more else "")

    def is_version(self, text: str) -> bool:
        return text in (LATEST, self.release)

    def entry(self, server: str) -> Mapping[str, Any]:
        """The server as registries answer with it. Raises KeyError for one that is not there."""
        config = self.servers[server]
        title, description = server, f"The server {server}, through the gateway."
        if config.entry:
            listed = entry(config.entry).server
            title, description = listed.title or server, listed.description
        described: dict[str, Any] = {
            "$schema": SCHEMA,
            "name": self.name_of(server),
            "title": title[:100],
            "description": description[:100],
            "version": self.release,
            "remotes": [{"type": "streamable-http", "url": f"{self.public}/servers/{server}/mcp"}],
        }
        if governed := _governed(config):
            described["_meta"] = {META: governed}
        return {
            "server": described,
            "_meta": {OFFICIAL: {"status": "active", "isLatest": True}},
        }


def namespace(url: str) -> str:
    """The reversed name of a URL's host; an address as it is, with hyphens for its colons."""
    host = urlsplit(url).hostname or ""
    try:
        return str(ipaddress.ip_address(host)).replace(":", "-")
    except ValueError:
        return ".".join(reversed(host.rstrip(".").replace("_", "-").split(".")))


def known_to(call: Call) -> frozenset[str]:
    """The servers that the caller may list, and may use anything of what they are known to offer.

    Of a server that has not answered yet, or not to this caller, nothing is known.
    """
    snapshot = call.snapshot
    listed = {name for name in snapshot.upstreams if name != GATEWAY and is_known(call, name)}
    refused: set[str] = set()
    usable: set[str] = set()
    for target in snapshot.local.values():
        if target.server in listed and target.server not in usable:
            allowed = snapshot.policy.prospect(call, target) != "deny"
            (usable if allowed else refused).add(target.server)
    return frozenset(listed - (refused - usable))


def _governed(config: Server) -> Mapping[str, Any]:
    """What is known of its operation, in the spelling of the form."""
    said = config.governance
    found = {
        "operator": said.operator,
        "region": said.region,
        "retention": said.retention,
        "dataClasses": said.data_classes,
        "terms": said.terms,
    }
    return {name: value for name, value in found.items() if value}
