from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_gateway.core.errors import InvalidRequest
from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.ports import Brought
from mcp_gateway.services.acts.grants import GrantActs, RevokeGrant
from mcp_gateway.services.operation import Nothing
from tests.support import calls
from tests.support.connecting import ALICE, Bench, bench

ADMIN = Principal("local", "admin", "default")
ELSEWHERE = Principal("local", "admin", "other")


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Bench]:
    made = bench(tmp_path)
    yield made
    made.database.close()


@pytest.mark.requirement("connecting:administrators-see-and-revoke")
async def test_the_grants_of_a_tenant_are_listed_and_one_is_revoked_by_its_id(at: Bench) -> None:
    granted = await at.connections.made(ALICE, "docs", "delegated", Brought({"t": "at-1"}))
    acts, call = GrantActs(at.connections), calls.call(principal=ADMIN)

    listed = await acts.list(call, Nothing())
    ended = await acts.revoke(call, RevokeGrant(id=granted.id))
    after = await acts.list(call, Nothing())

    assert [(one["id"], one["subject"], one["upstream"]) for one in listed] == [
        (granted.id, "alice", "docs")
    ]
    assert "at-1" not in repr(listed)
    assert ended == {"id": granted.id, "server": "docs"}
    assert after == []
    assert call.facts == {"grant": granted.id, "for": "local|alice"}
    assert at.ledger.last.body["reason"] == "an administrator revoked it"


@pytest.mark.requirement("connecting:administrators-see-and-revoke")
async def test_an_administrator_of_another_tenant_sees_and_ends_nothing(at: Bench) -> None:
    granted = await at.connections.made(ALICE, "docs", "delegated", Brought({}))
    acts, call = GrantActs(at.connections), calls.call(principal=ELSEWHERE)

    assert await acts.list(call, Nothing()) == []
    with pytest.raises(InvalidRequest, match="there is no grant"):
        await acts.revoke(call, RevokeGrant(id=granted.id))

    assert at.current.keyring.grants
