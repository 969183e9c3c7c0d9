"""The issuer's metadata (OpenID Connect Discovery 1.0, RFC 8414): where its keys are."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from mcp_gateway.oauth.documents import DocumentError, Documents, NotThereError


def places(issuer: str) -> Sequence[str]:
    """Where the metadata of an issuer can be: OpenID's place, then that of RFC 8414, section 3.

    A slash at the end of the issuer counts in neither.
    """
    base = issuer.removesuffix("/")
    parts = urlsplit(base)
    host = f"{parts.scheme}://{parts.netloc}"
    return (
        f"{base}/.well-known/openid-configuration",
        f"{host}/.well-known/oauth-authorization-server{parts.path}",
    )


async def jwks_uri(issuer: str, documents: Documents) -> str:
    """Where the keys are, by the first metadata there is. Raises DocumentError."""
    first, second = places(issuer)
    try:
        found = await documents.read(first)
    except NotThereError:
        found = await documents.read(second)
    return _of(issuer, found)


def _of(issuer: str, metadata: Mapping[str, Any]) -> str:
    """The address. The issuer in it must be the one that is configured, to the letter (3.3)."""
    named, uri = metadata.get("issuer"), metadata.get("jwks_uri")
    if named != issuer:
        raise DocumentError(
            f"the metadata is of the issuer {named!r}, not {issuer!r}: [identity] issuer must be "
            "equal to it, a slash at the end included"
        )
    if not isinstance(uri, str):
        raise DocumentError("the metadata has no jwks_uri")
    return uri
