"""A process that needs a person's token at once: `python -m tests.support.refreshing FILE`.

It waits for a line, obtains the token as often at once as FILE says, and prints what it got.
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from mcp_gateway.core.credential import NOTHING_SHOWN, CredentialRefused, Grant
from mcp_gateway.core.grants import Granted
from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.keys.local import LocalKek
from mcp_gateway.oauth.ports import GrantOptions, Wanted
from mcp_gateway.oauth.sources.delegated import Delegated
from mcp_gateway.oauth.upstream.discovery import Discovery
from mcp_gateway.oauth.upstream.rfc6749 import TokenEndpoint
from mcp_gateway.oauth.vault import Vault
from mcp_gateway.services.leases import StoredLeases
from mcp_gateway.services.registrations import Registrations
from mcp_gateway.services.secrets import SealedSecrets
from mcp_gateway.store.database import Database
from mcp_gateway.store.leases import LeaseRows
from mcp_gateway.store.registrations import RegistrationRows
from mcp_gateway.store.secrets import SecretRows
from mcp_gateway.wire.http import HttpClient, Network
from tests.support.oauth_fakes import FakeConsents

ALICE = Principal("https://idp.example.com", "alice", "acme")
GRANTED = Granted("g-1", 3, scopes=frozenset({"orders:read"}))


class Process:
    """What one process of the gateway makes of a store, an authority and a public address."""

    def __init__(self, database: Database, http: HttpClient, public: str) -> None:
        self.secrets = SealedSecrets(Vault([LocalKek(b"v" * 32)]), SecretRows(database))
        self.consents = FakeConsents()
        leases = StoredLeases(LeaseRows(database))
        rows = RegistrationRows(database)
        self.source = Delegated(
            self.secrets,
            leases,
            self.consents,
            Registrations(rows, self.secrets, leases, http, lambda: public),
            Discovery(http),
            TokenEndpoint(http),
        )


def wanted(
    url: str,
    options: GrantOptions,
    granted: Granted | None = GRANTED,
    *,
    refused: CredentialRefused | None = None,
    grant: Grant | None = None,
) -> Wanted:
    grant = grant or Grant("delegated")
    about = ("up", url, grant, options, ALICE, NOTHING_SHOWN, frozenset[str]())
    return Wanted(*about, granted, refused, "call-1")


async def together(process: Process, asking: Wanted, times: int) -> set[str]:
    """The different headers that so many calls get at once."""
    found = await asyncio.gather(*(process.source.obtain(asking) for _ in range(times)))
    return {obtained.credential.headers[0][1] for obtained in found}


async def _main(given: dict[str, Any]) -> None:
    async with AsyncExitStack() as stack:
        database = Database.open(Path(given["database"]))
        stack.callback(database.close)
        http = HttpClient(Network(loopback=True, ca=(given["authority"],)))
        stack.push_async_callback(http.aclose)
        process = Process(database, http, given["public"])
        options = GrantOptions(client=given["client"], client_secret=lambda: str(given["secret"]))
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        asking = wanted(given["url"], options)
        print(json.dumps(sorted(await together(process, asking, given["times"]))), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(json.loads(Path(sys.argv[1]).read_text("utf-8"))))
