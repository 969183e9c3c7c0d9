"""The URL of an upstream, checked when its configuration is read."""

from collections.abc import Sequence

from connectors.application import PORT
from mcp_gateway.wire import url


def check_url(text: str, command: Sequence[str]) -> None:
    """Raises ValueError for a URL that no request can have, or a port that nobody fills in."""
    if bool(command) != (PORT in text):
        raise ValueError(f"a url has {PORT} if, and only if, there is a command to start")
    url.parse(text.replace(PORT, "1"))
