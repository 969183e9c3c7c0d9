"""URLs: an upstream's own, checked when its configuration is read, and those that it names."""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urljoin

from connectors.application import PORT
from mcp_gateway.wire import url


def check_url(text: str, command: Sequence[str]) -> None:
    """Raises ValueError for a URL that no request can have, or a port that nobody fills in."""
    if bool(command) != (PORT in text):
        raise ValueError(f"a url has {PORT} if, and only if, there is a command to start")
    url.parse(text.replace(PORT, "1"))


def visitable(text: Any) -> bool:
    """Whether a person may be sent there: by https, or to their own machine."""
    if not isinstance(text, str):
        return False
    try:
        origin = url.parse(text).origin
    except ValueError:
        return False
    return origin.scheme == "https" or _own_machine(origin.host)


def within(base: str, reference: str) -> str:
    """Where a reference leads from there. Raises ValueError unless it stays with the origin."""
    found = urljoin(base, reference)
    if url.parse(found).origin != url.parse(base).origin:
        raise ValueError("the address is of another origin")
    return found


def _own_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
