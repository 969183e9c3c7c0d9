from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Grant
from mcp_gateway.core.grants import Granted, GrantKey
from mcp_gateway.core.snapshot import GATEWAY, Keyring, Snapshot, Upstream
from mcp_gateway.core.target import Kind, Target
from mcp_gateway.core.views import View, ViewKey
from mcp_gateway.services.servers import NobodyYet
from mcp_gateway.services.visible import (
    first_connected,
    is_connected,
    personal_servers,
    sight_of,
)
from tests.support import calls
from tests.support.fakes import FakeConnector, FakePolicy

READ = Target("tool", "docs", "read", "sha256:read")
SELL = Target("tool", "shop", "sell", "sha256:sell")
CONNECT = Target("tool", GATEWAY, "connect_docs", "sha256:connect")
ALICES: GrantKey = ("acme", "local", "alice", "docs")
DELEGATED = Grant("delegated")


def world(grants: Mapping[GrantKey, Granted], **changes: Any) -> Snapshot:
    upstreams = {
        "docs": Upstream("docs", FakeConnector(), DELEGATED),
        "shop": Upstream("shop", FakeConnector()),
        GATEWAY: Upstream(GATEWAY, FakeConnector()),
    }
    keyring = Keyring(grants=grants)
    return calls.snapshot(upstreams=upstreams, keyring=keyring, **changes)


@dataclass
class Seen:
    """Views of alice's: what her list at docs showed."""

    names: Mapping[tuple[Kind, str], str]
    stamp: int = 1

    def of(self, key: ViewKey) -> View:  # noqa: ARG002
        return View(self.stamp, self.names, 0.0)


HERS = Seen({("tool", "read"): "sha256:read"})


def listing(grants: Mapping[GrantKey, Granted], **changes: Any) -> Call:
    return calls.call("tools/list", {}, snapshot=world(grants, **changes))


@pytest.mark.requirement("connecting:a-tool-stands-for-a-list")
def test_until_it_is_connected_a_server_shows_the_tool_that_connects_it_alone() -> None:
    sight = sight_of(listing({}))

    assert [sight.shows(target) for target in (READ, SELL, CONNECT)] == [False, True, True]


@pytest.mark.requirement("connecting:a-tool-stands-for-a-list")
def test_once_it_is_connected_its_own_tools_are_shown_instead() -> None:
    sight = sight_of(listing({ALICES: Granted("g", 1)}, views=HERS))

    assert [sight.shows(target) for target in (READ, SELL, CONNECT)] == [True, True, False]


@pytest.mark.requirement("connecting:each-sees-their-own-list")
@pytest.mark.parametrize(
    "names",
    [{}, {("tool", "write"): "sha256:read"}, {("tool", "read"): "sha256:other"}],
    ids=["nothing seen", "another name", "another wording"],
)
def test_what_a_persons_own_list_does_not_show_they_are_not_shown(
    names: Mapping[tuple[Kind, str], str],
) -> None:
    sight = sight_of(listing({ALICES: Granted("g", 1)}, views=Seen(names)))

    assert [sight.shows(target) for target in (READ, SELL)] == [False, True]


@pytest.mark.parametrize(
    "grants",
    [
        {ALICES: Granted("g", 1, "broken")},
        {("acme", "local", "bob", "docs"): Granted("g", 1)},
        {("acme", "other", "alice", "docs"): Granted("g", 1)},
        {("other", "local", "alice", "docs"): Granted("g", 1)},
        {("acme", "local", "alice", "shop"): Granted("g", 1)},
    ],
    ids=["broken", "another person's", "another issuer's", "another tenant's", "another server's"],
)
def test_no_other_grant_shows_anything(grants: Mapping[GrantKey, Granted]) -> None:
    made = listing(grants)

    assert not sight_of(made).shows(READ)
    assert not is_connected(made, "docs")


@pytest.mark.requirement("connecting:exchanged-lists")
def test_where_tokens_are_exchanged_each_is_shown_what_is_in_their_own_list() -> None:
    docs = Upstream("docs", FakeConnector(), Grant("token_exchange"))
    asked = calls.call("tools/list", {}, snapshot=calls.snapshot(upstreams={"docs": docs}))
    unseen = sight_of(asked)
    seen = sight_of(replace(asked, snapshot=replace(asked.snapshot, views=HERS)))
    other = Target("tool", "docs", "write", "sha256:write")

    assert [unseen.shows(READ), seen.shows(READ), seen.shows(other)] == [False, True, False]
    assert unseen.stamp != seen.stamp
    assert personal_servers(asked) == [docs]


@pytest.mark.requirement("connecting:wordings")
def test_a_name_is_shown_in_the_words_of_ones_own_list() -> None:
    theirs = replace(READ, digest="sha256:theirs")
    wordings = {("tool", "docs", "read", each.digest): each for each in (READ, theirs)}
    seen = Seen({("tool", "read"): "sha256:theirs"})
    sight = sight_of(listing({ALICES: Granted("g", 1)}, views=seen, wordings=wordings))
    unreviewed = Seen({("tool", "read"): "sha256:another"})
    blind = sight_of(listing({ALICES: Granted("g", 1)}, views=unreviewed, wordings=wordings))

    assert sight.worded(READ) is theirs
    assert sight.shows(theirs)
    assert blind.worded(READ) is READ
    assert not blind.shows(READ)
    assert sight.worded(SELL) is SELL


def test_who_may_not_know_of_a_server_is_not_offered_to_connect_it() -> None:
    policy = FakePolicy(prospects={"catalog/docs/tools/list": "deny"})
    sight = sight_of(listing({}, policy=policy))

    assert [sight.shows(target) for target in (READ, CONNECT)] == [False, False]


@pytest.mark.requirement("attack:f6")
def test_a_list_is_remembered_under_the_grant_that_it_was_made_with() -> None:
    stamps = {
        sight_of(listing(grants)).stamp
        for grants in (
            {},
            {ALICES: Granted("g", 1)},
            {ALICES: Granted("h", 2)},
        )
    }
    stamps.add(sight_of(listing({ALICES: Granted("g", 1)}, views=HERS)).stamp)

    assert len(stamps) == 4


def test_somebody_is_found_who_connected_it_and_whose_grant_still_opens_it() -> None:
    bobs = ("acme", "local", "bob", "docs")
    grants = {ALICES: Granted("g", 1, "broken"), bobs: Granted("h", 1)}

    assert first_connected(grants, "docs").subject == "bob"
    with pytest.raises(NobodyYet):
        first_connected(grants, "shop")
