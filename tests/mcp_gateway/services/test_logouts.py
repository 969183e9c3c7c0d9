"""A log-out at the issuer is recorded, in force in every process, and heard once."""

from pathlib import Path

import pytest

from mcp_gateway.core.errors import Overloaded
from mcp_gateway.core.snapshot import Current
from mcp_gateway.oauth.backchannel import LogOut
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.services.logouts import LogOuts, Replayed
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import Keys
from mcp_gateway.store.revocations import Revocations
from tests.support.fakes import FakeLedger

ISSUER = "https://login.example.com"
SESSION, OTHERS = f"session:{ISSUER}|s-1", f"sessionless:{ISSUER}|alice"
LOGOUT = LogOut(ISSUER, frozenset({SESSION, OTHERS}), "l-1", 1000, 1120)


class World:
    """One process of several on a store."""

    def __init__(self, folder: Path) -> None:
        self.ledger = FakeLedger()
        self.current = Current()
        self.database = Database.open(folder / "gateway.db")
        self.keyring = KeyringService(self.current, self.database, Keys(self.database))
        self.logouts = LogOuts(Revocations(self.database), self.keyring, self.ledger)

    def over(self, name: str, issued: int) -> bool:
        return self.current.keyring.is_over(frozenset({name}), issued)


@pytest.mark.requirement("revocation:issuers-tell-of-log-outs")
async def test_what_was_issued_by_then_is_over_here_and_where_the_store_is_looked_at(
    tmp_path: Path,
) -> None:
    here, there = World(tmp_path), World(tmp_path)

    await here.logouts.heard(LOGOUT)
    seen = there.database.revision()
    await there.keyring.refresh()

    for world in (here, there):
        assert [world.over(name, 1000) for name in (SESSION, OTHERS)] == [True, True]
        assert [world.over(name, 1001) for name in (SESSION, OTHERS)] == [False, False]
    assert seen > 0
    assert [dict(entry.body) for entry in here.ledger.entries] == [
        {"name": name, "by": f"issuer:{ISSUER}", "reason": "logged out at its issuer"}
        for name in (SESSION, OTHERS)
    ]


@pytest.mark.requirement("revocation:issuers-tell-of-log-outs")
async def test_a_log_out_is_heard_once_whichever_process_it_is_told(tmp_path: Path) -> None:
    here, there = World(tmp_path), World(tmp_path)
    await here.logouts.heard(LOGOUT)

    with pytest.raises(Replayed):
        await there.logouts.heard(LOGOUT)

    assert there.ledger.entries == []


async def test_one_that_cannot_be_recorded_does_not_count_and_can_be_told_again(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    world.ledger.broken.add("revoked")
    with pytest.raises(Overloaded):
        await world.logouts.heard(LOGOUT)
    await world.keyring.refresh()
    before = world.over(SESSION, 1000)

    world.ledger.broken.clear()
    await world.logouts.heard(LOGOUT)

    assert (before, world.over(SESSION, 1000)) == (False, True)
