"""What the authorization server offers under a configuration: endpoints, scopes, metadata."""

from collections.abc import Mapping
from typing import Any, Final

from mcp_gateway.config import Settings
from mcp_gateway.oauth.ports import Person
from mcp_gateway.oauth.server import rfc8414
from mcp_gateway.oauth.server.rfc6749 import OAuthError

OFFLINE: Final = "offline_access"


def endpoints(settings: Settings) -> frozenset[str]:
    """What a token can be for: the endpoint of all servers, and that of each."""
    each = (f"{settings.public}/servers/{name}/mcp" for name in settings.servers)
    return frozenset((whole(settings), *each))


def whole(settings: Settings) -> str:
    """The endpoint that is meant where a client names none."""
    return f"{settings.public}/mcp"


def scopes(settings: Settings) -> frozenset[str]:
    """What can be asked for: the scopes of the section, and those that servers require."""
    required = (server.requires for server in settings.servers.values())
    return frozenset({OFFLINE, *settings.authorization.scopes}).union(*required)


def granted(asked: frozenset[str], settings: Settings) -> frozenset[str]:
    """Of what a client asks for, what there is. Raises OAuthError when that is nothing.

    Clients ask for all that some metadata lists; one that asks for nothing, or for nothing but
    to renew it, gets the scopes of the section.
    """
    if not asked - {OFFLINE}:
        return asked.union(settings.authorization.scopes)
    if not (found := asked & scopes(settings)):
        raise OAuthError("invalid_scope", "the gateway has none of these scopes")
    return found


def allowed(asked: frozenset[str], person: Person, settings: Settings) -> frozenset[str]:
    """Of what is asked for, what the log-in is good for: an API key has scopes of its own.

    Besides those it brings what opens nothing: scopes of the section that no server requires.
    """
    if not person.by.startswith("key:"):
        return asked
    required = frozenset[str]().union(*(server.requires for server in settings.servers.values()))
    everybody = {OFFLINE, *settings.authorization.scopes} - required
    return frozenset(asked & (person.principal.scopes | everybody))


def metadata(settings: Settings) -> Mapping[str, Any]:
    section = settings.authorization
    return rfc8414.metadata(
        settings.public,
        scopes(settings),
        registration=section.registration,
        documents=True,
        assertions=bool(section.assertions),
    )
