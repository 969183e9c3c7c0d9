"""Resource indicators (RFC 8707): which endpoint a token is for."""

from collections.abc import Collection, Sequence

from mcp_gateway.oauth.server.rfc6749 import OAuthError


def chosen(asked: Sequence[str], ours: Collection[str], default: str) -> str:
    """The one endpoint that is asked for, compared as strings. Raises OAuthError.

    A token is good for one endpoint: whoever names several gets none.
    """
    named = set(asked) or {default}
    if len(named) > 1:
        raise OAuthError("invalid_target", "a token is for one resource: name one")
    (resource,) = named
    if resource not in ours:
        raise OAuthError("invalid_target", "the resource is no endpoint of this gateway")
    return resource
