"""Views: what the list of an upstream showed one person, where each has a list of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from mcp_gateway.core.grants import GrantKey
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.target import Kind

ViewKey = GrantKey | tuple[Principal, str]
"""Whose view, and of which upstream: who consented is one person, whatever they come with."""


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
    def of(self, key: ViewKey) -> View:
        """UNSEEN where nobody looked. One look into a table: it is on the path of a call."""
        ...


class _NoViews:
    def of(self, key: ViewKey) -> View:  # noqa: ARG002  # of the protocol
        return UNSEEN


NO_VIEWS: Final[Views] = _NoViews()
