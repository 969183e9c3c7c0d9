"""Shown: the questions of tasks that stand on the record, which each look at a task shows again."""

import hashlib
import json
from collections.abc import Iterable
from typing import Final

from mcp_gateway.core.call import Call

MOST: Final = 16_384
"""Questions that are remembered. One that was forgotten is recorded again."""


class Shown:
    """What differs in its text, its key or how it was decided is another question."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: dict[bytes, None] = {}

    def __len__(self) -> int:
        return len(self._known)

    def fresh(self, call: Call) -> tuple[Call, ...]:
        """The questions of a call that are to be recorded: of other calls than of tasks, all."""
        if not call.resumed.task:
            return call.children
        return tuple(child for child in call.children if _named(call, child) not in self._known)

    def recorded(self, call: Call, questions: Iterable[Call]) -> None:
        """From now on these are known, if they are of a task."""
        if not call.resumed.task:
            return
        for child in questions:
            self._known[_named(call, child)] = None
        while len(self._known) > self._most:
            del self._known[next(iter(self._known))]


def _named(call: Call, child: Call) -> bytes:
    decision, asked = child.decision, (child.facts.get("key"), child.method)
    whose = (call.principal.identity, call.target.server, call.resumed.task)
    named = json.dumps([*whose, *asked, decision.effect, decision.rule]).encode()
    return hashlib.sha256(hashlib.sha256(named).digest() + child.params.raw).digest()
