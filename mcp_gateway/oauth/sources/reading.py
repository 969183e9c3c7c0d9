"""Secrets that the configuration refers to, read so that nobody but the log learns where."""

import logging
import re
from collections.abc import Callable
from typing import Final

from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.core.secret import Secret

log = logging.getLogger(__name__)
_HEADER: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


def read(server: str, reference: Callable[[], str]) -> Secret:
    """Raises UpstreamFailed, which says that it cannot be read, and nothing of it."""
    try:
        return Secret(reference())
    except (OSError, ValueError):
        log.exception("the secret for %s cannot be read", server)
        raise UpstreamFailed(f"the gateway cannot read its secret for {server}") from None


def shown(server: str, whose: str, prefix: str, secret: Secret) -> str:
    """What stands in the header. Raises UpstreamFailed for what no header can hold."""
    value = secret.reveal()
    if not _HEADER.fullmatch(value):
        raise UpstreamFailed(f"{whose} for {server} is nothing that a header can hold")
    return prefix + value
