"""Change: what an upstream announces, and Interest: what somebody wants to hear of it."""

import asyncio
from dataclasses import dataclass, field
from typing import Literal

List = Literal["tools", "prompts", "resources"]


@dataclass(frozen=True, slots=True)
class Change:
    """A list that changed, or one resource (`name` is its URI), or one task (`raw`: the params)."""

    of: List | Literal["resource", "task"]
    server: str
    name: str = ""
    raw: bytes = b""


@dataclass(slots=True)
class Interest:
    """What is listened for at one upstream.

    `altered` is set when `uris` or `tasks` changed, and `settled` by the connector once the
    upstream listens for all of it. `honoured` are the tasks that the upstream has said it tells of.
    """

    uris: frozenset[str] = frozenset()
    tasks: frozenset[str] = frozenset()
    honoured: frozenset[str] = frozenset()
    altered: asyncio.Event = field(default_factory=asyncio.Event)
    settled: asyncio.Event = field(default_factory=asyncio.Event)
