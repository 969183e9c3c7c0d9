from collections.abc import Mapping
from typing import Any

import pytest

from mcp_gateway.core.asking import Resumed
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Grant
from mcp_gateway.core.errors import ConsentRequired, InvalidRequest
from mcp_gateway.core.grants import Granted
from mcp_gateway.core.snapshot import GATEWAY, Keyring, Upstream
from mcp_gateway.core.target import Target
from mcp_gateway.services.invitations import Invitations
from mcp_gateway.wire.modern import META_CAPABILITIES
from tests.support import calls
from tests.support.fakes import FakeConnector, FakePolicy
from tests.support.oauth_fakes import FakeConsents

ABLE: Mapping[str, Any] = {META_CAPABILITIES: {"elicitation": {"url": {}}}}


def calling(server: str = "docs", *, able: bool = False, **changes: Any) -> Call:
    upstreams = {
        "docs": Upstream("docs", FakeConnector(), Grant("delegated", scopes=frozenset({"read"}))),
        GATEWAY: Upstream(GATEWAY, FakeConnector()),
    }
    world = calls.snapshot(upstreams=upstreams, **changes)
    params = {"name": f"connect_{server}", **({"_meta": ABLE} if able else {})}
    target = Target("tool", GATEWAY, f"connect_{server}")
    return calls.resolved(target, params=params, snapshot=world)


@pytest.mark.requirement("connecting:a-tool-stands-for-a-list")
async def test_a_runtime_without_addresses_is_given_the_link_in_words() -> None:
    consents = FakeConsents()

    said = await Invitations(lambda: consents).invite(calling())

    assert "http://127.0.0.1/connect/1" in said
    assert consents.asked == [("local|alice", "docs", frozenset({"read"}))]


async def test_a_runtime_that_shows_addresses_is_asked_to_show_it_once() -> None:
    invitations, again = Invitations(FakeConsents), calling(able=True)
    again.resumed = Resumed(own=True)

    with pytest.raises(ConsentRequired) as required:
        await invitations.invite(calling(able=True))
    said = await invitations.invite(again)

    assert required.value.server == "docs"
    assert "/connect/" in said


async def test_what_is_connected_already_needs_no_link() -> None:
    consents = FakeConsents()
    keyring = Keyring(grants={("acme", "local", "alice", "docs"): Granted("g", 1)})

    said = await Invitations(lambda: consents).invite(calling(keyring=keyring))

    assert said == "docs is connected to you: its tools are listed now."
    assert consents.asked == []


async def test_nothing_is_said_of_a_server_that_is_unknown_or_need_not_be_known() -> None:
    invitations = Invitations(FakeConsents)
    hidden = FakePolicy(prospects={"catalog/docs/tools/list": "deny"})

    for made in (calling("nothing"), calling(policy=hidden)):
        with pytest.raises(InvalidRequest, match="nothing to connect under that name"):
            await invitations.invite(made)


async def test_where_nobody_can_connect_anything_it_says_so() -> None:
    with pytest.raises(InvalidRequest):
        await Invitations(lambda: None).invite(calling())
