"""Names, both ways: what downstreams call a tool or prompt of an upstream. Pure."""

import hashlib
import re
from typing import Final

LONGEST: Final = 40
"""Runtimes add their own prefix and stop at 60 or 64 characters."""

_SEPARATOR: Final = "__"
_DIGITS: Final = 6
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]+")
_OTHER: Final = re.compile(r"[^A-Za-z0-9_]")


def downstream_name(server: str, name: str) -> str:
    """`server__name`, or an alias where runtimes would not take that.

    An alias is the start of the name and six hexadecimal digits of its SHA-256: it depends on
    nothing but (server, name), so it is the same in every process and after every restart. Two
    names that share one are both held back by whoever builds the catalog.
    """
    plain = f"{server}{_SEPARATOR}{name}"
    if len(plain) <= LONGEST and _PLAIN.fullmatch(plain):
        return plain
    digest = hashlib.sha256(f"{server}\0{name}".encode()).hexdigest()[:_DIGITS]
    start = _OTHER.sub("_", plain)[: LONGEST - _DIGITS - 1]
    return f"{start}_{digest}"


def folded(name: str) -> str:
    """What a runtime that knows no hyphens makes of a name: two that fold alike are one to it."""
    return name.replace("-", "_")


def template_matches(template: str, uri: str) -> bool:
    """Whether an RFC 6570 template (levels 1 to 3, read loosely) could have produced the URI.

    Each variable stands for one character or more. Linear in the URI for every part of the
    template: an upstream wrote it, so nothing here may backtrack.
    """
    if "\r" in uri or "\n" in uri:
        return False
    at = gap = 0
    parts = _parts(template)
    for index, part in enumerate(parts):
        if part.startswith("{"):
            gap += 1
            continue
        last = index == len(parts) - 1
        found = max(at, len(uri) - len(part)) if last and gap else uri.find(part, at + gap)
        if found < at + gap or (not gap and found != at) or not uri.startswith(part, found):
            return False
        at, gap = found + len(part), 0
    return len(uri) - at >= gap if gap else at == len(uri)


def literal_length(template: str) -> int:
    """How much of a template is fixed: the longest one wins when several match a URI."""
    return sum(len(part) for part in _parts(template) if not part.startswith("{"))


def _parts(template: str) -> list[str]:
    return re.findall(r"\{[^{}]*\}|[^{}]+", template)
