"""The deterministic guard: hidden text, role markers and credentials, in linear time (RE2)."""

from collections.abc import Sequence
from typing import Any, Final

import re2

from local_models.guards.patterns import PATTERNS
from mcp_gateway.core import ports
from mcp_gateway.core.call import Call

MOST_FINDINGS: Final = 20


class RulesGuard:
    """One pass of an RE2 set over all the text; only what it hits is looked at again."""

    def __init__(self) -> None:
        self._set = _compiled_set()

    def clears(self, raw: bytes) -> bool:
        """Without a backslash the JSON holds its text as it is, so one pass over it decides."""
        return b"\\" not in raw and not self._set.Match(raw)

    async def inspect(
        self,
        call: Call,  # noqa: ARG002  # the port's: rules judge text alone
        channel: ports.Channel,  # noqa: ARG002
        leaves: Sequence[ports.Leaf],
    ) -> ports.Verdict:
        if not self._set.Match("\n".join(leaf.text for leaf in leaves)):
            return ports.Verdict()
        findings = [
            ports.Finding(PATTERNS[hit].label, PATTERNS[hit].rule, leaf.path)
            for leaf in leaves
            for hit in sorted(self._set.Match(leaf.text) or ())
        ]
        return ports.Verdict(tuple(findings[:MOST_FINDINGS]))


def _compiled_set() -> Any:
    compiled = re2.Set.SearchSet()
    for pattern in PATTERNS:
        compiled.Add(pattern.text)
    compiled.Compile()
    return compiled
