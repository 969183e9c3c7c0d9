"""Target and Definition: what is called, and what was reviewed of it."""

from dataclasses import dataclass, field
from typing import Final, Literal, get_args

Kind = Literal[
    "tool",
    "resource",
    "template",
    "prompt",
    "skill",
    "task",
    "subscription",
    "catalog",
    "operation",
    "method",
    "none",
]
KINDS: Final[frozenset[str]] = frozenset(get_args(Kind))


@dataclass(frozen=True, slots=True)
class Mirror:
    """An argument that a request repeats in a header (`x-mcp-header`, SEP-2243).

    `path` leads to it, a name for each object on the way; `header` is in lower case.
    """

    path: tuple[str, ...]
    header: str
    integer: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """One tool, resource, prompt, skill, listing or operation, as pinned in the snapshot.

    `name` is the upstream's own name (a URI for resources), never the name that a downstream
    uses. Kind "method" is a method the gateway does not know, at /servers/<name>/mcp only.
    `mirrored` follows from the definition, and is no part of what a target is.
    """

    kind: Kind
    server: str
    name: str
    digest: str = ""
    labels: frozenset[str] = frozenset()
    requires: frozenset[str] = frozenset()
    mirrored: tuple[Mirror, ...] = field(default=(), compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        whole = (self.kind, self.server, self.name, self.digest, self.labels, self.requires)
        object.__setattr__(self, "_hash", hash(whole))

    def __hash__(self) -> int:
        """Computed once: a target is looked up in several tables on every call."""
        return self._hash

    def __str__(self) -> str:
        return f"{self.kind}/{self.server}/{self.name}"


NOWHERE: Final = Target(kind="none", server="", name="")
"""The target of a call that is not resolved yet. No pattern covers kind "none"."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One entry of an upstream's listing: `raw` is its JSON object as the upstream sent it.

    `digest` ("sha256:<hex>") is over the canonical form of what a reader is shown or bound by.
    `flaw` says in words why it can be neither reviewed nor served, and is empty when it can.
    """

    kind: Kind
    server: str
    name: str
    raw: bytes
    digest: str
    labels: frozenset[str] = frozenset()
    mirrored: tuple[Mirror, ...] = ()
    flaw: str = ""
