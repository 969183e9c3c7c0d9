"""Dynamic client registration (RFC 7591): what a stranger says of itself, read with mistrust."""

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mcp_gateway.oauth.server import rfc8252
from mcp_gateway.oauth.server.rfc6749 import OAuthError, scopes_of
from mcp_gateway.oauth.server.rfc8414 import CODE, REFRESH

METHODS: Final = frozenset({"none", "client_secret_basic", "client_secret_post"})
GRANTS: Final = frozenset({CODE, REFRESH})
LONGEST_NAME: Final = 100
_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that show as nothing."""
_MARKS: Final = range(0x0900, 0x1000)
"""Where marks are the vowels of a script; elsewhere they hide, or are stacked upon a letter."""
_APART: Final = frozenset({"CJK", "HANGUL", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"})
"""Scripts that stand beside Latin in names, and in which nothing looks like it."""


@dataclass(frozen=True, slots=True)
class Registered:
    """What a client may be by its own word. Pictures, links and key sets are never fetched."""

    name: str
    redirects: tuple[str, ...]
    method: str
    grants: frozenset[str]
    scopes: frozenset[str]


def registered(
    said: object,
    private: Collection[str] = (),
    *,
    methods: Collection[str] = METHODS,
    default_method: str = "client_secret_basic",
) -> Registered:
    """Reads client metadata (section 2). Raises OAuthError."""
    if not isinstance(said, dict):
        raise _invalid("the metadata is a JSON object")
    method = said.get("token_endpoint_auth_method") or default_method
    if not isinstance(method, str) or method not in methods:
        raise _invalid(f"token_endpoint_auth_method is one of {', '.join(sorted(methods))}")
    if _words(said, "response_types", ["code"]) != {"code"}:
        raise _invalid("response_types is ['code']")
    return Registered(
        plain_name(said.get("client_name")),
        _redirects(said, private),
        method,
        _grants(said),
        scopes_of(_text(said, "scope")),
    )


def plain_name(said: object) -> str:
    """A name that a page and a log can show: one line, no marks that turn or hide text.

    Empty where Latin letters stand among those of a script that looks like them: who spells a
    name so means it to be taken for another.
    """
    text = unicodedata.normalize("NFKC", said) if isinstance(said, str) else ""
    shown = "".join(char if _shows(char) else " " for char in text)
    name = " ".join(shown.split())[:LONGEST_NAME].rstrip()
    return "" if _mixed(name) else name


def _shows(char: str) -> bool:
    kind = unicodedata.category(char)[0]
    return (kind in "LNPS" and char not in _BLANK) or (kind == "M" and ord(char) in _MARKS)


def _mixed(name: str) -> bool:
    scripts = {unicodedata.name(char, "").split(" ")[0] for char in name if char.isalpha()}
    return "LATIN" in scripts and bool(scripts - {"LATIN"} - _APART)


def _grants(said: Mapping[str, Any]) -> frozenset[str]:
    """Grants that are not for such clients are left out, as section 3.2.1 allows."""
    asked = _words(said, "grant_types", [CODE])
    if CODE not in asked:
        raise _invalid("grant_types has authorization_code")
    return asked & GRANTS


def _redirects(said: Mapping[str, Any], private: Collection[str]) -> tuple[str, ...]:
    found = said.get("redirect_uris")
    if not isinstance(found, list) or not 0 < len(found) <= rfc8252.MOST:
        raise _bad_redirect(f"redirect_uris lists one to {rfc8252.MOST} addresses")
    for redirect in found:
        if not isinstance(redirect, str):
            raise _bad_redirect("redirect_uris lists texts")
        try:
            rfc8252.check_redirect(redirect, private)
        except ValueError as fault:
            raise _bad_redirect(str(fault)) from None
    return tuple(dict.fromkeys(found))


def _words(said: Mapping[str, Any], name: str, default: list[str]) -> frozenset[str]:
    found = said.get(name) or default
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        raise _invalid(f"{name} lists texts")
    return frozenset(found)


def _text(said: Mapping[str, Any], name: str) -> str:
    found = said.get(name) or ""
    if not isinstance(found, str):
        raise _invalid(f"{name} is text")
    return found


def _invalid(description: str) -> OAuthError:
    return OAuthError("invalid_client_metadata", description)


def _bad_redirect(description: str) -> OAuthError:
    return OAuthError("invalid_redirect_uri", description)
