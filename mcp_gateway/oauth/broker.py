"""The broker: which credential for which upstream. The caller's own never passes on."""

import logging
import re
from collections.abc import Callable, Mapping
from typing import Final

from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import NONE, Credential, CredentialRefused
from mcp_gateway.core.errors import UpstreamFailed

log = logging.getLogger(__name__)
_HEADER: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


class Broker:
    """Implements `ports.Broker` for the grants `none` and `static`.

    `secrets` reads the value for a server; it is read once, and again when the upstream refused.
    """

    def __init__(self, secrets: Mapping[str, Callable[[], str]]) -> None:
        self._secrets = dict(secrets)
        self._credentials: dict[str, Credential] = {}

    def swap(self, secrets: Mapping[str, Callable[[], str]]) -> None:
        """Takes the secrets of another configuration."""
        self._secrets = dict(secrets)
        self._credentials = {}

    async def credential(self, call: Call) -> Credential:
        server = call.target.server
        known = self._credentials.get(server)
        if known is None:
            known = self._credentials[server] = self._read(call)
        return known

    async def renewed(self, call: Call, refused: CredentialRefused) -> Credential:  # noqa: ARG002
        """Reads the secret again: it may have been rotated. Raises UpstreamFailed if not."""
        before = call.credential
        fresh = self._credentials[call.target.server] = self._read(call)
        if fresh.headers == before.headers:
            raise UpstreamFailed(f"{call.target.server} refuses the gateway's credential")
        return fresh

    def _read(self, call: Call) -> Credential:
        server = call.target.server
        upstream = call.snapshot.upstreams.get(server)
        if upstream is None or upstream.grant.kind == "none" or call.target.kind == "catalog":
            return NONE
        read = self._secrets.get(server)
        if read is None:
            raise UpstreamFailed(f"no secret is configured for {server}")
        grant = upstream.grant
        value = f"{grant.prefix}{_secret(server, read)}"
        return Credential(f"{grant.kind}:{server}", ((grant.header, value),))


def _secret(server: str, read: Callable[[], str]) -> str:
    """The secret. Raises UpstreamFailed, which says nothing of it but that it cannot be used."""
    try:
        value = read()
    except (OSError, ValueError):
        log.exception("the secret for %s cannot be read", server)
        raise UpstreamFailed(f"the gateway cannot read its secret for {server}") from None
    if not value or not _HEADER.fullmatch(value):
        raise UpstreamFailed(f"the gateway's secret for {server} is nothing that a header can hold")
    return value
