from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import NONE, Credential, Grant, Rejected, Shown
from mcp_gateway.core.errors import InvalidRequest
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Upstream
from mcp_gateway.core.target import Definition
from mcp_gateway.oauth.ports import Brought
from mcp_gateway.services.acts.connections import ConnectionActs, OneServer
from mcp_gateway.services.operation import Nothing
from mcp_gateway.services.views import PersonalViews
from tests.support import calls
from tests.support.connecting import ALICE, ALICE_THERE, Bench, bench
from tests.support.fakes import FakeConnector, FakePolicy

BOB = Principal("local", "bob", "default")
DOCS = OneServer(server="docs")
UNCONNECTED = {
    "server": "docs",
    "state": "not connected",
    "reason": "",
    "scopes": [],
    "authorization_server": "",
    "created": 0,
    "refreshed": 0,
    "used": 0,
    "checked": 0,
}


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Bench]:
    made = bench(tmp_path)
    yield made
    made.database.close()


def acts(at: Bench) -> ConnectionActs:
    async def of_person(
        principal: Principal, server: str, shown: Shown, rejected: Rejected | None = None
    ) -> Credential:
        return NONE

    def saw(server: str, listed: Sequence[Definition]) -> None:
        """Nobody reviews it."""

    views = PersonalViews(at.connections, of_person, lambda _: FakeConnector(), saw, lambda: None)
    return ConnectionActs(at.connections, views)


def by(principal: Principal = ALICE, **changes: Any) -> Call:
    upstreams = {
        "docs": Upstream("docs", FakeConnector(), Grant("delegated", scopes=frozenset({"read"}))),
        "shop": Upstream("shop", FakeConnector()),
    }
    world = calls.snapshot(upstreams=upstreams, **changes)
    return calls.call("operations/call", principal=principal, snapshot=world)


async def test_one_sees_every_server_that_one_may_connect_and_ones_own_grants(at: Bench) -> None:
    mine = acts(at)
    before = await mine.list(by(), Nothing())
    brought = Brought({}, frozenset({"read"}), "https://as.example")
    await at.connections.made(ALICE, "docs", "delegated", brought)
    after, bobs = await mine.list(by(), Nothing()), await mine.list(by(BOB), Nothing())

    assert before == bobs == [UNCONNECTED]
    assert after == [
        {
            "server": "docs",
            "state": "connected",
            "reason": "",
            "scopes": ["read"],
            "authorization_server": "https://as.example",
            "created": int(at.now),
            "refreshed": int(at.now),
            "used": 0,
            "checked": int(at.now),
        }
    ]


async def test_a_link_of_ones_own_is_had_by_asking(at: Bench) -> None:
    link = (await acts(at).link(by(), DOCS))["url"]

    opened = await at.consenting.opened(link.rpartition("/")[2], ALICE_THERE)
    assert (opened.upstream, opened.scopes) == ("docs", ("read",))


async def test_one_ends_ones_own_grant_and_no_others(at: Bench) -> None:
    await at.connections.made(ALICE, "docs", "delegated", Brought({}))
    mine = acts(at)

    with pytest.raises(InvalidRequest, match="docs is not connected to you"):
        await mine.revoke(by(BOB), DOCS)
    ended = await mine.revoke(by(), DOCS)

    assert ended == {"server": "docs"}
    assert at.current.keyring.grants == {}


async def test_a_look_says_how_it_stands(at: Bench) -> None:
    await at.connections.made(ALICE, "docs", "delegated", Brought({}))

    shown = await acts(at).check(by(), DOCS)

    assert (shown["state"], shown["reason"]) == ("connected", "")
    assert shown["checked"] > at.now


@pytest.mark.parametrize("server", ["shop", "nothing"])
async def test_what_nobody_connects_is_not_there(at: Bench, server: str) -> None:
    mine, asked = acts(at), OneServer(server=server)

    for act in (mine.link, mine.check, mine.revoke):
        with pytest.raises(InvalidRequest, match="there is no server"):
            await act(by(), asked)


async def test_of_a_server_that_one_may_not_know_nothing_is_said(at: Bench) -> None:
    hidden = by(policy=FakePolicy(prospects={"catalog/docs/tools/list": "deny"}))

    assert await acts(at).list(hidden, Nothing()) == []
    with pytest.raises(InvalidRequest, match="there is no server 'docs'"):
        await acts(at).link(hidden, DOCS)
