"""Views: what the list of an upstream showed one person, where each has a list of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from mcp_gateway.core.principal import Principal
from mcp_gateway.core.target import Kind


@dataclass(frozen=True, slots=True)
class View:
    """`names` maps (kind, the upstream's own name) to the digest of the definition that was listed.

    `stamp` differs whenever `names` do; `until` is Unix seconds.
    """

    stamp: int
    names: Mapping[tuple[Kind, str], str]
    until: float


UNSEEN: Final = View(0, {}, 0.0)


class Views(Protocol):
    def of(self, principal: Principal, server: str) -> View:
        """UNSEEN where nobody looked. One look into a table: it is on the path of a call."""
        ...


class _NoViews:
    def of(self, principal: Principal, server: str) -> View:  # noqa: ARG002  # of the protocol
        return UNSEEN


NO_VIEWS: Final[Views] = _NoViews()
