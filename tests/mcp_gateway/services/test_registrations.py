"""Who the gateway is at a server: configured, by address, registered, and never another's."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from mcp_gateway.core.secret import Secret
from mcp_gateway.oauth.documents import DocumentError
from mcp_gateway.oauth.ports import GrantOptions, Place, SecretLost
from mcp_gateway.oauth.upstream.rfc8414 import AuthorizationServer
from mcp_gateway.services.registrations import Asking, Registrations
from mcp_gateway.store.database import Database
from mcp_gateway.store.registrations import RegistrationRows
from mcp_gateway.wire.http import HttpClient, Network
from tests.support.oauth_fakes import FreeLeases, MemorySecrets
from tests.support.publisher import Publisher, publisher

PUBLIC = "https://gw.example.com"
CALLBACK = f"{PUBLIC}/connect/callback"
ASKING = Asking("up", GrantOptions(), CALLBACK, frozenset())
DOCUMENT = f"{PUBLIC}/oauth/client.json"


@dataclass
class World:
    """A server that registers, and the gateway. `now` may change."""

    there: Publisher
    registrations: Registrations = field(init=False)
    secrets: MemorySecrets = field(default_factory=MemorySecrets)
    leases: FreeLeases = field(default_factory=FreeLeases)
    now: float = 1000.0

    @property
    def server(self) -> AuthorizationServer:
        return AuthorizationServer(self.there.url, register=f"{self.there.url}/r")

    def registers(self, name: str, ends: int = 0) -> None:
        said = {"client_id": name, "client_secret": f"of {name}", "client_secret_expires_at": ends}
        self.there.publish("/r", said)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    database = Database.open(tmp_path / "gateway.db")
    http = HttpClient(Network(loopback=True))
    async with publisher() as there:
        found = World(there)
        found.registrations = Registrations(
            RegistrationRows(database),
            found.secrets,
            found.leases,
            http,
            lambda: PUBLIC,
            lambda: found.now,
        )
        found.registers("first")
        yield found
    await http.aclose()
    database.close()


async def test_the_gateway_registers_once_and_keeps_the_secret_in_the_vault(here: World) -> None:
    first = await here.registrations.client(ASKING, here.server)
    here.registers("second")
    again = await here.registrations.client(ASKING, here.server)

    assert first == again
    assert (first.id, first.secret) == ("first", Secret("of first"))
    assert here.there.asked == ["/r"]
    assert [place.kind for place in here.secrets.kept] == ["registration"]
    assert here.leases.names == [f"registration:up|{here.there.url}"] * 2


async def test_who_is_configured_is_not_registered(here: World) -> None:
    options = GrantOptions(client="ours", client_secret=lambda: "s")
    found = await here.registrations.client(replace(ASKING, options=options), here.server)
    known = await here.registrations.known("up", options, here.server, "ours")

    assert (found.id, found.method, found) == ("ours", "client_secret_basic", known)
    assert here.there.asked == []


async def test_a_server_that_takes_addresses_is_given_the_gateways(here: World) -> None:
    server = replace(here.server, documents=True)
    found = await here.registrations.client(ASKING, server)
    known = await here.registrations.known("up", GrantOptions(), server, DOCUMENT)

    assert (found.id, found.method, found) == (DOCUMENT, "none", known)
    assert here.there.asked == []


async def test_the_document_of_the_operator_may_have_a_key_to_sign_with(here: World) -> None:
    server = replace(here.server, documents=True)
    address = "https://elsewhere.example.com/client.json"
    for key, method in (("a key", "private_key_jwt"), ("", "none")):
        options = GrantOptions(client_metadata=address, client_key=key.__str__)
        found = await here.registrations.client(replace(ASKING, options=options), server)
        assert (found.id, found.method, found.key) == (address, method, Secret(key))


async def test_a_server_that_registers_nobody_leads_to_what_to_configure(here: World) -> None:
    with pytest.raises(DocumentError, match=f"redirect {CALLBACK}, and set client"):
        await here.registrations.client(ASKING, AuthorizationServer("https://as.example.com"))


@pytest.mark.requirement("upstream:registrations-are-an-issuers")
@pytest.mark.requirement("attack:c8")
async def test_another_issuer_or_upstream_is_another_registration(here: World) -> None:
    await here.registrations.client(ASKING, here.server)
    here.registers("second")
    moved = replace(here.server, issuer=f"{here.there.url}/")
    found = await here.registrations.client(ASKING, moved)
    other = await here.registrations.client(replace(ASKING, upstream="other"), here.server)

    assert (found.id, other.id) == ("second", "second")
    with pytest.raises(KeyError):
        await here.registrations.known("up", GrantOptions(), moved, "first")


@pytest.mark.parametrize("why", ["it ends", "the redirect moved", "its secret is lost"])
async def test_a_registration_that_is_of_no_use_is_made_anew(here: World, why: str) -> None:
    here.registers("first", ends=10_000)
    await here.registrations.client(ASKING, here.server)
    here.registers("second")
    asking = ASKING
    if why == "it ends":
        here.now = 9_500
    elif why == "the redirect moved":
        asking = replace(ASKING, callback="https://moved.example.com/connect/callback")
    else:
        here.secrets.kept.clear()

    assert (await here.registrations.client(asking, here.server)).id == "second"


async def test_what_is_forgotten_is_not_known(here: World) -> None:
    await here.registrations.client(ASKING, here.server)
    assert (
        await here.registrations.known("up", GrantOptions(), here.server, "first")
    ).id == "first"
    await here.registrations.forget("up", here.there.url)

    with pytest.raises(KeyError):
        await here.registrations.known("up", GrantOptions(), here.server, "first")
    assert here.secrets.kept == {}


async def test_a_secret_that_does_not_open_is_a_registration_that_is_gone(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await here.registrations.client(ASKING, here.server)

    async def lost(_: Place) -> None:
        raise SecretLost("sealed by another key")

    monkeypatch.setattr(here.secrets, "get", lost)
    with pytest.raises(KeyError):
        await here.registrations.known("up", GrantOptions(), here.server, "first")
