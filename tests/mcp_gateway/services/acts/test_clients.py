from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from mcp_gateway.core.errors import InvalidRequest
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Current
from mcp_gateway.services.acts.clients import ClientActs, RevokeClient
from mcp_gateway.services.authorization.client import Client
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.services.operation import Nothing
from mcp_gateway.store.clients import CIMD, DCR, Clients
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import Keys
from mcp_gateway.store.revocations import Revocations
from mcp_gateway.store.rows import ClientRow
from tests.support import calls

ADMIN = Principal("local", "admin", "default")
ROBOT = Client("ci", "registered", "ci", "client_secret_basic", frozenset(), secret=b"digest")
PINNED = Client(
    "https://pinned.example/c",
    "cimd",
    "Pinned",
    "none",
    frozenset(),
    ("http://127.0.0.1/cb", "https://pinned.example/cb"),
    host="pinned.example",
)


class Bench:
    def __init__(self, database: Database) -> None:
        self.current = Current()
        self.kept = Clients(database)
        keyring = KeyringService(self.current, database, Keys(database))
        self.acts = ClientActs(self.kept, Revocations(database), keyring, lambda: [ROBOT, PINNED])
        self.kept.add(
            ClientRow(id="abc", kind=DCR, name="App", created=5, redirects='["http://[::1]/cb"]')
        )
        self.kept.add(ClientRow(id="https://met.example/c", kind=CIMD, created=6, used=7))


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Bench]:
    database = Database.open(tmp_path / "gateway.db")
    yield Bench(database)
    database.close()


@pytest.mark.requirement("clients:administrators-see-and-revoke")
async def test_all_clients_are_listed_and_no_secret_of_theirs(at: Bench) -> None:
    found = await at.acts.list(calls.call(principal=ADMIN), Nothing())

    assert [(one["id"], one["kind"], one["used"]) for one in found] == [
        ("abc", "dcr", 0),
        ("https://met.example/c", "cimd", 7),
        ("ci", "registered", 0),
        ("https://pinned.example/c", "pinned", 0),
    ]
    assert found[3]["redirect_hosts"] == ["127.0.0.1", "pinned.example"]
    assert not any(one["revoked"] for one in found)
    assert "digest" not in repr(found)


@pytest.mark.requirement("clients:administrators-see-and-revoke")
@pytest.mark.parametrize("client", ["abc", "https://met.example/c", "ci", PINNED.id])
async def test_a_client_of_whatever_kind_is_revoked_at_once(at: Bench, client: str) -> None:
    call = calls.call(principal=ADMIN)

    ended = await at.acts.revoke(call, RevokeClient(id=client, reason="it was stolen"))
    left = {one["id"]: one["revoked"] for one in await at.acts.list(call, Nothing())}

    assert ended == {"id": client}
    assert f"client:{client}" in at.current.keyring.revoked
    assert at.kept.find(client) is None
    assert left.get(client, True) is True
    assert sum(left.values()) == (client in left)
    assert call.facts == {"revoked": f"client:{client}", "why": "it was stolen"}


async def test_a_client_that_is_not_there_is_not_revoked(at: Bench) -> None:
    with pytest.raises(InvalidRequest, match="clients list"):
        await at.acts.revoke(calls.call(principal=ADMIN), RevokeClient(id="abd"))

    assert at.current.keyring.revoked == frozenset()


@pytest.mark.parametrize("id_", ["", "a b", "a\nb", "é", "x" * 513])
def test_what_is_no_id_is_refused(id_: str) -> None:
    with pytest.raises(ValidationError):
        RevokeClient(id=id_)
