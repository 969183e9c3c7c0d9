"""How a grant is configured, as those who obtain credentials read it."""

from collections.abc import Callable

from mcp_gateway.config import GrantSection, Secret
from mcp_gateway.oauth.ports import GrantOptions, no_secret


def grant_options(section: GrantSection) -> GrantOptions:
    """Secrets are read each time that they are needed: they may be rotated."""
    return GrantOptions(
        client=section.client,
        client_metadata=section.client_metadata,
        auth_method=section.auth_method,
        issuer=section.issuer,
        authorize=section.authorize,
        token=section.token,
        resource=section.resource,
        audience=section.audience,
        actor=section.actor,
        provider=section.provider,
        secret=_reads(section.secret),
        client_secret=_reads(section.client_secret),
        client_key=_reads(section.client_key),
    )


def _reads(secret: Secret | None) -> Callable[[], str]:
    return secret.read if secret else no_secret
