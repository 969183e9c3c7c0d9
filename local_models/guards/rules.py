"""The deterministic guard: hidden text, role markers and credentials, in linear time (RE2)."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import re2

from local_models.guards.patterns import PATTERNS
from mcp_gateway.core import ports
from mcp_gateway.core.call import Call

MOST_FINDINGS: Final = 20
"""Of one look; more only if more rules fired."""

# A string of raw JSON begins behind a quote, where a pattern of lines does not see a beginning.
_START: Final = "(?m)^"
_START_OR_QUOTE: Final = '(?m)(?:^|")'

_FLAG: Final = "\U0001f3f4"
_FLAGS: Final = re2.compile(
    _FLAG
    + "(?:"
    + "|".join("".join(chr(0xE0000 + ord(c)) for c in r) for r in ("gbeng", "gbsct", "gbwls"))
    + ")\U000e007f"
)


class RulesGuard:
    """One pass of an RE2 set over all the text; only what it hits is looked at again."""

    def __init__(self) -> None:
        self._set = _compiled_set(pattern.text for pattern in PATTERNS)
        self._raw = _compiled_set(
            pattern.text.replace(_START, _START_OR_QUOTE) for pattern in PATTERNS
        )

    def clears(self, raw: bytes) -> bool:
        """Without a backslash the JSON holds its text as it is, so one pass over it decides.

        Bytes that are no UTF-8 are text to some readers, and not the same to all: never cleared.
        """
        return b"\\" not in raw and _is_text(raw) and not self._raw.Match(raw)

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
            for hit in sorted(self._set.Match(_plain(leaf.text)) or ())
        ]
        return ports.Verdict(tuple(_bounded(findings)))


def _bounded(findings: Sequence[ports.Finding]) -> Sequence[ports.Finding]:
    """The first of every rule, then others: many of what is let pass must hide no other."""
    first: dict[str, ports.Finding] = {}
    for finding in findings:
        first.setdefault(finding.rule, finding)
    others = [finding for finding in findings if finding is not first[finding.rule]]
    return [*first.values(), *others[: max(0, MOST_FINDINGS - len(first))]]


def _is_text(raw: bytes) -> bool:
    try:
        return raw.isascii() or bool(raw.decode())
    except UnicodeDecodeError:
        return False


def _plain(text: str) -> str:
    """The text, with a plain flag for the three that are rightly spelled with tag characters.

    One stays where each was: what stood apart must not be read as one word.
    """
    return str(_FLAGS.sub(_FLAG, text)) if _FLAG in text else text


def _compiled_set(patterns: Iterable[str]) -> Any:
    compiled = re2.Set.SearchSet()
    for pattern in patterns:
        compiled.Add(pattern)
    compiled.Compile()
    return compiled
