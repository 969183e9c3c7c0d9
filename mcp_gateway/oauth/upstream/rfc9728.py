"""Protected resource metadata (RFC 9728): which authorization servers an upstream trusts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp_gateway.oauth.documents import DocumentError, Documents, NotThereError
from mcp_gateway.oauth.upstream import scopes
from mcp_gateway.wire.url import Url, parse

WELL_KNOWN = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class Resource:
    """`name` is what a token has to be for (RFC 8707)."""

    name: str
    issuers: tuple[str, ...]
    scopes: frozenset[str] = frozenset()


async def resource(
    url: str, challenged: str, documents: Documents, *, expected: str = ""
) -> Resource:
    """What the upstream at a URL says of itself; `expected` is its name where that is configured.

    It is where its challenge says, else below the path of the URL, else at the root. Raises
    NotThereError where there is none, and DocumentError for one that is damaged, of another
    resource, or cannot be had: that an upstream is out of order is no reason to look elsewhere.
    """
    for place in places(url, challenged):
        try:
            found = await documents.read(place)
        except NotThereError:
            continue
        return _read(url, found, expected)
    raise NotThereError(f"{url} says nothing of its authorization server")


def places(url: str, challenged: str) -> tuple[str, ...]:
    parts = parse(url)
    root = f"{parts.origin.scheme}://{parts.named}{WELL_KNOWN}"
    path = parts.path.partition("?")[0].rstrip("/")
    tried = [challenged] if challenged else []
    return tuple(dict.fromkeys([*tried, root + path, root]))


def _read(url: str, document: Mapping[str, Any], expected: str) -> Resource:
    name, issuers = document.get("resource"), document.get("authorization_servers")
    if not isinstance(name, str) or not (name == expected if expected else covers(name, url)):
        raise DocumentError(
            f"the metadata is of the resource {name!r}, not of {url!r}: if that is meant, set "
            "resource in the grant of the server"
        )
    if not isinstance(issuers, list) or not all(isinstance(issuer, str) for issuer in issuers):
        raise DocumentError(f"the metadata of {url} names no authorization servers")
    return Resource(name, tuple(issuers), listed(document, "scopes_supported"))


def covers(name: str, url: str) -> bool:
    """Whether a resource is the URL, or a parent of it."""
    try:
        outer, inner = parse(name), parse(url)
    except ValueError:
        return False
    if outer.origin != inner.origin or "#" in name:
        return False
    above, below = _segments(outer), _segments(inner)
    return above == below[: len(above)] and not {".", ".."} & set(above)


def _segments(parts: Url) -> list[str]:
    return [segment for segment in parts.path.partition("?")[0].split("/") if segment]


def listed(document: Mapping[str, Any], name: str) -> frozenset[str]:
    """The scopes of a list. Raises DocumentError for what is no list of them."""
    value = document.get(name, [])
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise DocumentError(f"{name} is not a list of words")
    try:
        return scopes.words(" ".join(value))
    except ValueError as error:
        raise DocumentError(f"{name}: {error}") from None
