"""Claims: what a token says, each by its type. One that is there and cannot be read refuses it."""

from collections.abc import Mapping
from typing import Any

Claims = Mapping[str, Any]


class TokenRefused(Exception):
    """A token that does not authenticate, and why."""


def seconds(claims: Claims, name: str) -> int:
    value = claims.get(name)
    if type(value) is not int:  # a boolean is an int too, and no time
        raise TokenRefused(f"the token has no {name} in whole seconds")
    return value


def text(claims: Claims, name: str) -> str:
    """A claim that is text; empty when it is absent."""
    value = at(claims, name, "")
    if not isinstance(value, str):
        raise TokenRefused(f"the claim {name} is not text")
    return value


def words(claims: Claims, name: str, *, apart: bool = True) -> frozenset[str]:
    """A claim of words: a list, or one text, which blanks set apart if it is not one word."""
    value = at(claims, name, [])
    if isinstance(value, str):
        value = value.split() if apart else [value]
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise TokenRefused(f"the claim {name} is not a list of words")
    return frozenset(value)


def at(claims: Claims, path: str, absent: Any) -> Any:
    """The claim of that very name; else what dots lead to, as in `realm_access.roles`.

    The name goes first, since names are URLs at some issuers, and have dots.
    """
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        if not isinstance(found, Mapping):
            raise TokenRefused(f"nothing can be at {path}: what is above it is no object")
        if name not in found:
            return absent
        found = found[name]
    return found


def actor(claims: Claims) -> str:
    """Who acts for the subject (RFC 8693, section 4.1). One that cannot be read is not nobody."""
    if "act" not in claims:
        return ""
    act = claims["act"]
    named = act.get("sub") if isinstance(act, dict) else None
    if not isinstance(named, str) or not named:
        raise TokenRefused("the claim act names nobody")
    return named


def mapped(groups: frozenset[str], roles: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The roles of groups. Without a map each is a role; with one, others give nothing."""
    if not roles:
        return groups
    return frozenset().union(*(roles[group] for group in groups if group in roles))
