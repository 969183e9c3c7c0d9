"""Metadata of an upstream's authorization server (RFC 8414, OpenID Connect Discovery 1.0)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mcp_gateway.oauth.documents import DocumentError, Documents, NotThereError, check
from mcp_gateway.oauth.upstream.rfc7636 import METHOD
from mcp_gateway.oauth.upstream.rfc9728 import listed
from mcp_gateway.wire.url import parse

BASIC: Final = "client_secret_basic"
"""How a client authenticates where the metadata does not say (section 2)."""


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """`names_itself` is RFC 9207, `documents` says that a client id may be an address.

    `push` and `must_push` are of RFC 9126. Addresses that are empty are not offered.
    """

    issuer: str
    authorize: str = ""
    token: str = ""
    register: str = ""
    revoke: str = ""
    push: str = ""
    methods: tuple[str, ...] = (BASIC,)
    scopes: frozenset[str] = frozenset()
    documents: bool = False
    names_itself: bool = False
    must_push: bool = False
    pkce: bool = False


def places(issuer: str) -> tuple[str, ...]:
    """Where the metadata can be, in the order in which MCP has clients look. Raises ValueError."""
    parts = parse(issuer)
    root = f"{parts.origin.scheme}://{parts.named}/.well-known"
    path = parts.path.rstrip("/")
    inserted = (f"{root}/oauth-authorization-server{path}", f"{root}/openid-configuration{path}")
    appended = f"{parts.origin.scheme}://{parts.named}{path}/.well-known/openid-configuration"
    return tuple(dict.fromkeys([*inserted, appended]))


async def metadata(issuer: str, documents: Documents) -> AuthorizationServer:
    """What an issuer says of itself. Raises NotThereError where it says nothing, DocumentError."""
    try:
        tried = places(issuer)
    except ValueError as error:
        raise DocumentError(f"the issuer {issuer!r}: {error}") from None
    for place in tried:
        try:
            found = await documents.read(place)
        except NotThereError:
            continue
        return _read(issuer, found)
    raise NotThereError(f"the issuer {issuer} has no metadata")


def assumed(origin: str) -> AuthorizationServer:
    """A server without metadata, as revision 2025-03-26 has clients assume; PKCE is its rule."""
    return AuthorizationServer(
        origin,
        authorize=f"{origin}/authorize",
        token=f"{origin}/token",
        register=f"{origin}/register",
        methods=("none", BASIC),
        pkce=True,
    )


def _read(issuer: str, document: Mapping[str, Any]) -> AuthorizationServer:
    if document.get("issuer") != issuer:
        raise DocumentError(
            f"the metadata is of the issuer {document.get('issuer')!r}, not {issuer!r}; they must "
            "be equal, a slash at the end included"
        )
    return AuthorizationServer(
        issuer,
        authorize=_address(document, "authorization_endpoint", issuer),
        token=_address(document, "token_endpoint", issuer),
        register=_address(document, "registration_endpoint", issuer),
        revoke=_address(document, "revocation_endpoint", issuer),
        push=_address(document, "pushed_authorization_request_endpoint", issuer),
        methods=_methods(document),
        scopes=listed(document, "scopes_supported"),
        documents=document.get("client_id_metadata_document_supported") is True,
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        must_push=document.get("require_pushed_authorization_requests") is True,
        pkce=METHOD in _words(document, "code_challenge_methods_supported"),
    )


def _address(document: Mapping[str, Any], name: str, issuer: str) -> str:
    """An address that the gateway, or a person's browser, is sent to: read as strictly as a URL."""
    value = document.get(name, "")
    try:
        if not isinstance(value, str):
            raise ValueError("it is no text")  # noqa: TRY004  # of a document
        if value:
            check(value, issuer)
    except ValueError as error:
        raise DocumentError(f"the {name} of {issuer} cannot be used: {error}") from None
    return value


def _methods(document: Mapping[str, Any]) -> tuple[str, ...]:
    name = "token_endpoint_auth_methods_supported"
    return _words(document, name) if name in document else (BASIC,)


def _words(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = document.get(name, [])
    if not isinstance(value, list):
        raise DocumentError(f"{name} is not a list of words")
    return tuple(word for word in value if isinstance(word, str))
