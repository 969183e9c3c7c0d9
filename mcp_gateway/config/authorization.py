"""Who logs in at the gateway's own pages."""

from mcp_gateway.config.sections import Section


class AuthorizationSection(Section):
    """Whether an API key is a log-in."""

    keys: bool = True
