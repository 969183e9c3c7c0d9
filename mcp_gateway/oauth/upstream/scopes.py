"""Scopes (RFC 6749, section 3.3): which ones are asked for."""

import re
from collections.abc import Iterable
from typing import Final

OFFLINE: Final = "offline_access"
"""Asks for a refresh token, where the server says that it knows this scope."""
_WORD: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


def words(text: str) -> frozenset[str]:
    """The scopes of a text. Raises ValueError for what is no scope."""
    found = frozenset(text.split(" ")) - {""}
    if not all(_WORD.fullmatch(word) for word in found):
        raise ValueError("there is a scope with characters that no scope has")
    return found


def text(scopes: Iterable[str]) -> str:
    """The scopes as one text, in order."""
    return " ".join(sorted(scopes))


def asked(
    wanted: frozenset[str],
    challenged: frozenset[str],
    supported: frozenset[str],
    advertised: frozenset[str],
) -> frozenset[str]:
    """What is asked for: what the operator and the call want, and what the upstream challenges for.

    Where neither says anything it is all that the resource supports, and where that is nothing, no
    scope at all: the server decides. `advertised` are those of the authorization server.
    """
    chosen = wanted | challenged or supported
    return chosen | ({OFFLINE} & advertised)
