"""Who shows a token learns of it what it may, and ends what is its own."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Keyring
from mcp_gateway.oauth.server.rfc6749 import OAuthError
from mcp_gateway.oauth.server.rfc9068 import Token
from mcp_gateway.services.authorization.client import Client, digest_of
from mcp_gateway.services.authorization.clients import Clients
from mcp_gateway.services.authorization.documents import Documents
from mcp_gateway.services.authorization.families import Held
from mcp_gateway.services.authorization.lookups import Lookups
from mcp_gateway.services.people import KnownPeople
from mcp_gateway.store import clients as store
from mcp_gateway.store.clients import DCR
from mcp_gateway.store.database import Database
from mcp_gateway.store.people import PersonRows
from mcp_gateway.store.revocations import Revocations
from mcp_gateway.store.rows import ClientRow, PersonRow
from mcp_gateway.wire.http import HttpClient
from tests.mcp_gateway.services.authorization import test_families, test_signing
from tests.mcp_gateway.services.authorization.test_families import NOW, RESOURCE, said

ISSUER = "http://127.0.0.1:8080"
ADA = Principal("local", "ada", "acme", client="app", scopes=frozenset({"mcp"}))
WARDEN = Client(
    "warden", "registered", "Warden", "client_secret_basic", frozenset(), secret=digest_of("s")
)
BASIC = b"Basic " + base64.b64encode(b"warden:s")
INACTIVE = {"active": False}


@dataclass
class World:
    """The families of other tests, and who may ask about their tokens."""

    of: test_families.World
    lookups: Lookups
    key: ECKey

    async def held(self) -> tuple[Held, str]:
        """What the client holds, and an access token of it."""
        held = await self.of.held()
        return held, self.token(family=held.family.id)

    def token(self, who: Principal = ADA, **changes: Any) -> str:
        issuer = self.of.settings.public
        made = Token(issuer, who, RESOURCE, "t-1", NOW, NOW + 3600, **changes)
        return made.signed(self.key)

    async def introspected(self, token: str, basic: bytes | None = BASIC) -> Any:
        return await self.lookups.introspect(said({"token": token}), basic, "192.0.2.1")

    async def revoke(self, token: str, client: str = "app") -> None:
        await self.lookups.revoke(said({"token": token, "client_id": client}), None, "192.0.2.1")

    async def change(self, **columns: Any) -> None:
        with self.of.databases[1].quietly() as session:
            row = session.get(PersonRow, "p1")
            assert row is not None
            row.sqlmodel_update(columns)
            session.add(row)


@pytest.fixture
async def world(tmp_path: Path, strangers: HttpClient) -> AsyncIterator[World]:
    databases = [Database.open(tmp_path / "gateway.db") for _ in range(2)]
    of, database = test_families.World(databases), databases[0]
    here, rows = of.processes[0], store.Clients(database)
    signing = test_signing.World(databases).process()
    documents = Documents(rows, strangers, of.ledger, list)
    clients = Clients(
        rows, documents, Revocations(database), of.ledger, here.current, lambda: of.settings.public
    )
    clients.swap({"warden": WARDEN})
    people = KnownPeople(PersonRows(database), here.current, lambda: of.now)
    for id_ in ("app", "other"):
        rows.add(row(id_))
    with database.quietly() as session:
        session.add(PersonRow(id="p1", tenant="acme", issuer="local", subject="ada", created=1))
    lookups = Lookups(
        *(clients, here.families, people, signing, here.current, lambda: of.settings),
        lambda: of.now,
    )
    yield World(of, lookups, await signing.key())
    for opened in databases:
        opened.close()


def row(id_: str) -> ClientRow:
    return ClientRow(
        id=id_, kind=DCR, name=id_, redirects="[]", method="none", grants="", created=NOW
    )


@pytest.mark.requirement("authorization:introspected")
async def test_of_a_good_token_its_registered_claims_are_said(world: World) -> None:
    held, token = await world.held()

    found = await world.introspected(token)

    assert found["active"]
    assert (found["sub"], found["client_id"], found["scope"]) == ("local|ada", "app", "mcp")
    assert (found["aud"], found["exp"]) == ([RESOURCE], NOW + 3600)
    assert {"fam", "roles", "tenant"}.isdisjoint(found)
    assert await world.introspected(held.refresh) == INACTIVE


@pytest.mark.requirement("authorization:introspected")
async def test_a_token_of_somebody_who_may_not_log_in_any_more_is_inactive(world: World) -> None:
    _, token = await world.held()
    assert (await world.introspected(token))["active"]

    await world.change(disabled=NOW)

    assert await world.introspected(token) == INACTIVE
    await world.change(disabled=0)
    assert (await world.introspected(token))["active"]
    with world.of.databases[0].quietly() as session:
        session.delete(session.get(PersonRow, "p1"))
    assert await world.introspected(token) == INACTIVE


@pytest.mark.requirement("authorization:introspected")
async def test_a_token_of_a_family_that_another_process_ended_is_inactive_at_once(
    world: World,
) -> None:
    held, token = await world.held()

    await world.of.processes[1].families.end(held.family.id, "left")

    assert await world.introspected(token) == INACTIVE
    assert await world.introspected(world.token(family="unknown")) == INACTIVE


@pytest.mark.requirement("authorization:introspected")
@pytest.mark.parametrize(
    "name",
    [
        f"token:{ISSUER}|t-1",
        "subject:local|ada",
        "client:app",
        "family:family-of-code",
        "key:0a1b",
    ],
)
async def test_a_token_is_inactive_when_anything_that_it_goes_by_is_revoked(
    world: World, name: str
) -> None:
    held, _ = await world.held()
    token = world.token(family=held.family.id, login=frozenset({"key:0a1b"}))
    current = world.of.processes[0].current
    assert (await world.introspected(token))["active"]

    current.swap_keyring(Keyring(revoked=frozenset({name})))
    denied = await world.introspected(token)
    current.swap_keyring(Keyring(ended={name: NOW}))
    ended = await world.introspected(token)

    assert world.of.settings.public == ISSUER
    assert [denied, ended] == [INACTIVE] * 2


async def test_a_token_that_expired_or_that_was_signed_elsewhere_is_inactive(world: World) -> None:
    token = world.token()
    assert (await world.introspected(token))["active"]
    elsewhere = ECKey.generate_key("P-256", {"kid": str(world.key.kid)})

    forged = Token(ISSUER, ADA, RESOURCE, "t-1", NOW, NOW + 3600).signed(elsewhere)

    assert await world.introspected(forged) == INACTIVE
    assert await world.introspected("a.b.c") == INACTIVE
    world.of.now = NOW + 3600
    assert await world.introspected(token) == INACTIVE


@pytest.mark.requirement("attack:d29")
async def test_strangers_and_clients_that_registered_themselves_learn_nothing(
    world: World,
) -> None:
    _, token = await world.held()

    for form, basic in (
        ({"token": token}, b"Basic " + base64.b64encode(b"warden:guessed")),
        ({"token": token, "client_id": "app"}, None),
        ({"token": token, "client_id": "warden"}, None),
        ({"token": token, "client_id": "nobody"}, None),
    ):
        with pytest.raises(OAuthError) as error:
            await world.lookups.introspect(said(form), basic, "192.0.2.1")
        assert (error.value.code, error.value.status) == ("invalid_client", 401)


@pytest.mark.requirement("authorization:given-back")
async def test_a_client_ends_the_family_of_either_of_its_tokens(world: World) -> None:
    held, token = await world.held()
    await world.revoke(token)
    world.of.code("second")
    second = await world.of.redeemed(code="second")
    await world.revoke(second.refresh)

    families = world.of.processes[1].families
    assert await families.standing(held.family.id) is None
    assert await families.standing(second.family.id) is None
    assert world.of.ledger.kinds == ["family.revoked"] * 2


@pytest.mark.requirement("authorization:given-back")
async def test_a_token_without_a_family_is_given_back_alone(world: World) -> None:
    token = world.token()

    await world.revoke(token)

    assert await world.introspected(token) == INACTIVE
    assert world.of.ledger.kinds == ["revoked"]
    assert world.of.ledger.last.body["name"] == f"token:{ISSUER}|t-1"
    assert world.of.ledger.last.body["by"] == "client:app"


@pytest.mark.requirement("attack:d23")
async def test_another_clients_tokens_are_not_ended_and_the_answer_says_nothing(
    world: World,
) -> None:
    held, token = await world.held()

    for shown in (token, held.refresh, world.token(), "unknown"):
        await world.revoke(shown, "other")

    assert (await world.introspected(token))["active"]
    assert await world.of.turned(held)
    assert world.of.ledger.kinds == []
