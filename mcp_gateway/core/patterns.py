"""covers(): which targets a pattern is about. Pure."""

import re
from functools import lru_cache
from typing import Final

from mcp_gateway.core.target import KINDS, Target

_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f,\"']")


@lru_cache(maxsize=65_536)
def _compiled(pattern: str) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    kind, server, name = pattern.split("/", 2)
    return _part(kind, "[^/]*"), _part(server, "[^/]*"), _part(name, ".*")


def _part(text: str, star: str) -> re.Pattern[str]:
    return re.compile(star.join(re.escape(piece) for piece in text.split("*")), re.DOTALL)


def covers(target: Target, pattern: str) -> bool:
    """Whether `kind/server/name` covers the target: `*` matches any run within its part.

    Only the name may hold slashes, and there `*` matches them too. Nothing covers kind "none".
    """
    if target.kind == "none":
        return False
    kind, server, name = _compiled(pattern)
    return bool(
        kind.fullmatch(target.kind)
        and server.fullmatch(target.server)
        and name.fullmatch(target.name)
    )


def fault(pattern: str) -> str:
    """What is wrong with a pattern, in words; empty when nothing is."""
    parts = pattern.split("/", 2)
    if len(parts) != 3 or not all(parts):
        return "a target is kind/server/name"
    if "*" not in parts[0] and parts[0] not in KINDS - {"none"}:
        return f"there is no kind {parts[0]!r}"
    if _FORBIDDEN.search(pattern):
        return "a target holds no blanks, commas, quotes or control characters"
    return ""


def specificity(pattern: str) -> int:
    """How much of a pattern is fixed: the highest one applies when several cover a target."""
    return len(pattern) - pattern.count("*")
