"""Who the gateway is at an upstream's authorization server: configured, by address, registered."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from mcp_gateway.core.secret import Secret
from mcp_gateway.oauth.documents import DocumentError
from mcp_gateway.oauth.ports import GrantOptions, Leases, Place, SecretLost, Secrets
from mcp_gateway.oauth.upstream import cimd, rfc7591
from mcp_gateway.oauth.upstream.client import Client, configured
from mcp_gateway.oauth.upstream.rfc8414 import AuthorizationServer
from mcp_gateway.store.registrations import RegistrationRows
from mcp_gateway.store.rows import RegistrationRow
from mcp_gateway.wire.http import HttpClient

LEASE: Final = 30.0
MARGIN: Final = 600
"""Seconds before its end from which a registration is made anew."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Who wants to be a client: for which upstream, how it is configured, and for which scopes."""

    upstream: str
    options: GrantOptions
    callback: str
    scopes: frozenset[str]


class Registrations:
    """Never takes what it is at one server to another. Implements `delegated.Clients`."""

    def __init__(  # the ports that it stands on
        self,
        rows: RegistrationRows,
        secrets: Secrets,
        leases: Leases,
        http: HttpClient,
        public: Callable[[], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rows = rows
        self._secrets = secrets
        self._leases = leases
        self._http = http
        self._public = public
        self._clock = clock

    async def client(self, asking: Asking, server: AuthorizationServer) -> Client:
        """The client to be there, registered if need be.

        Raises DocumentError with what to configure when there is no way, and ValueError for a
        secret that cannot be read.
        """
        if asking.options.client:
            return configured(asking.options, server)
        address = cimd.address(self._public(), asking.options.client_metadata)
        if server.documents and address:
            return _documented(asking.options, address)
        if not server.register:
            raise DocumentError(
                f"{server.issuer} registers nobody: register the gateway there with the redirect "
                f"{asking.callback}, and set client and client_secret in the grant"
            )
        return await self._registered(asking, server)

    async def known(
        self, upstream: str, options: GrantOptions, server: AuthorizationServer, name: str
    ) -> Client:
        if options.client == name:
            return configured(options, server)
        if name == cimd.address(self._public(), options.client_metadata):
            return _documented(options, name)
        row = await asyncio.to_thread(self._rows.of, upstream, server.issuer)
        if row is None or row.client != name:
            raise KeyError(name)
        return (await self._kept(row))[0]

    async def forget(self, upstream: str, issuer: str) -> None:
        """The server does not know the gateway any more."""
        await asyncio.to_thread(self._rows.drop, upstream, issuer)
        await self._secrets.drop(_place(upstream, issuer))

    async def _registered(self, asking: Asking, server: AuthorizationServer) -> Client:
        """By one process at a time: a client that nobody remembers would stay there for ever."""
        async with self._leases.held(f"registration:{asking.upstream}|{server.issuer}", LEASE):
            row = await asyncio.to_thread(self._rows.of, asking.upstream, server.issuer)
            if row is not None and not (row.ends and row.ends - MARGIN <= self._clock()):
                try:
                    client, callback = await self._kept(row)
                except KeyError:  # its secret is lost, and so is what it was for
                    callback = ""
                if callback == asking.callback:
                    return client
            return await self._register(asking, server)

    async def _register(self, asking: Asking, server: AuthorizationServer) -> Client:
        client, ends = await rfc7591.register(server, asking.callback, asking.scopes, self._http)
        content = {"secret": client.secret.reveal(), "callback": asking.callback}
        await self._secrets.put(_place(asking.upstream, server.issuer), content)
        row = RegistrationRow(
            upstream=asking.upstream,
            server_issuer=server.issuer,
            client=client.id,
            method=client.method,
            created=int(self._clock()),
            ends=ends,
        )
        await asyncio.to_thread(self._rows.put, row)
        return client

    async def _kept(self, row: RegistrationRow) -> tuple[Client, str]:
        """A registration, and the redirect that it is for. Raises KeyError."""
        place = _place(row.upstream, row.server_issuer)
        try:
            found = await self._secrets.get(place)
        except SecretLost:
            raise KeyError(row.client) from None
        return Client(row.client, row.method, Secret(found["secret"])), found["callback"]


def _documented(options: GrantOptions, address: str) -> Client:
    """By a document: the gateway's own, or the operator's, which may have a key to sign with.

    Raises ValueError for a key that cannot be read.
    """
    if not options.client_metadata:
        return Client(address)
    return replace(configured(options, AuthorizationServer("")), id=address)


def _place(upstream: str, issuer: str) -> Place:
    return Place("", issuer, upstream, "registration")
