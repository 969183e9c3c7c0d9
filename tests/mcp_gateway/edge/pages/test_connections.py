from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import Forbidden, InvalidRequest, Refusal
from mcp_gateway.core.snapshot import Current
from mcp_gateway.edge.ids import Ids
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.pages.connections import PATH, ConnectionsPage
from mcp_gateway.edge.pages.forms import token_of
from mcp_gateway.wire import jsonrpc
from tests.support import calls
from tests.support.connecting import ALICE_THERE, PUBLIC
from tests.support.oauth_fakes import FakeBrowsers

DOCS = {
    "server": "docs",
    "state": "connected",
    "reason": "",
    "scopes": ["read"],
    "authorization_server": "https://as.example",
    "created": 1_700_000_000,
    "refreshed": 1_700_000_000,
    "checked": 0,
    "used": 1_700_000_000,
}
NOTES = {**DOCS, "server": "<notes>", "state": "not connected", "scopes": [], "created": 0}


@dataclass
class Chain:
    """The chain: what was called through it, and what it answers."""

    values: dict[str, Any] = field(default_factory=lambda: {"connections.list": [DOCS, NOTES]})
    refusal: Refusal | None = None
    seen: list[Call] = field(default_factory=list)

    async def __call__(self, call: Call) -> Result:
        self.seen.append(call)
        name = call.params.view()["name"]
        if self.refusal and name != "connections.list":
            raise self.refusal
        return jsonrpc.body(jsonrpc.encode({"value": self.values[name]}))


@pytest.fixture
def chain() -> Chain:
    return Chain()


def browser(chain: Chain, cookie: str = "alices", **changes: Any) -> httpx2.AsyncClient:
    current = Current()
    current.swap(calls.snapshot(tenant=changes.get("tenant", "default"), chain=chain))
    people = FakeBrowsers({"alices": ALICE_THERE})
    origins = Origins(PUBLIC, "127.0.0.1:8080", [], [])
    shown = ConnectionsPage(
        PUBLIC, origins, current, lambda: changes.get("browsers", people), Ids()
    )
    transport = httpx2.ASGITransport(app=Starlette(routes=list(shown.routes())))
    cookies = {"mcpgw": cookie} if cookie else {}
    return httpx2.AsyncClient(transport=transport, base_url=PUBLIC, cookies=cookies)


@pytest.fixture
async def alice(chain: Chain) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser(chain) as client:
        yield client


def form(act: str, **changes: str) -> dict[str, str]:
    return {"act": act, "server": "docs", "token": token_of("alices", PATH), **changes}


@pytest.mark.requirement("connecting:health-before-a-call")
async def test_a_person_sees_what_they_connected_and_how_it_stands(
    chain: Chain, alice: httpx2.AsyncClient
) -> None:
    shown = await alice.get(PATH)

    assert shown.status_code == 200
    assert "docs" in shown.text
    assert "2023-11-14 22:13 UTC" in shown.text
    assert "last looked at never" in shown.text
    assert "&lt;notes&gt;" in shown.text
    assert shown.text.count("Disconnect") == 1
    assert chain.seen[0].principal == ALICE_THERE


async def test_where_there_is_nothing_to_connect_it_says_so(
    chain: Chain, alice: httpx2.AsyncClient
) -> None:
    chain.values["connections.list"] = []

    assert "There is nothing here for you to connect." in (await alice.get(PATH)).text


async def test_connecting_goes_on_to_a_link_and_anything_else_back_to_the_page(
    chain: Chain, alice: httpx2.AsyncClient
) -> None:
    chain.values |= {
        "connections.link": {"url": f"{PUBLIC}/connect/secret"},
        "connections.check": DOCS,
        "connections.revoke": {"server": "docs"},
    }

    went = [(await alice.post(PATH, data=form(a))) for a in ("link", "check", "revoke")]

    assert [answer.status_code for answer in went] == [303, 303, 303]
    assert [a.headers["location"] for a in went] == [f"{PUBLIC}/connect/secret", PATH, PATH]
    asked = [call.params.view() for call in chain.seen]
    assert [one["arguments"] for one in asked] == [{"server": "docs"}] * 3


@pytest.mark.requirement("attack:f7")
@pytest.mark.parametrize(
    ("changes", "headers"),
    [
        ({"token": ""}, {}),
        ({"token": token_of("bobs", PATH)}, {}),
        ({"token": token_of("alices", "/other")}, {}),
        ({}, {"origin": "https://evil.example"}),
        ({}, {"origin": "null"}),
    ],
)
async def test_a_form_that_the_person_was_not_shown_ends_nothing(
    chain: Chain,
    alice: httpx2.AsyncClient,
    changes: dict[str, str],
    headers: dict[str, str],
) -> None:
    answer = await alice.post(PATH, data=form("revoke", **changes), headers=headers)

    assert answer.status_code == 403
    assert chain.seen == []


async def test_only_what_the_page_offers_can_be_done_on_it(
    chain: Chain, alice: httpx2.AsyncClient
) -> None:
    answer = await alice.post(PATH, data=form("../keys.create"))

    assert answer.status_code == 400
    assert chain.seen == []


async def test_why_something_was_not_done_stands_on_the_page(
    chain: Chain, alice: httpx2.AsyncClient
) -> None:
    chain.refusal = InvalidRequest("docs is not connected to you")

    answer = await alice.post(PATH, data=form("revoke"))

    assert "docs is not connected to you." in answer.text


async def test_who_no_rule_allows_it_is_told_so(chain: Chain) -> None:
    async def refusing(call: Call) -> Result:
        raise Forbidden("no rule allows it")

    async with browser(refusing) as alice:  # type: ignore[arg-type]
        answer = await alice.get(PATH)

    assert answer.status_code == 403
    assert "no rule allows it." in answer.text


async def test_who_is_not_logged_in_logs_in_first(chain: Chain) -> None:
    async with browser(chain, "") as nobody, browser(chain, "expired") as gone:
        answers = [await nobody.get(PATH), await nobody.post(PATH), await gone.get(PATH)]

    for answer in answers:
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            "/oauth/login?next=%2Fconnections",
        )
    assert chain.seen == []


async def test_where_nobody_can_log_in_it_says_so(chain: Chain) -> None:
    async with browser(chain, browsers=None) as alice:
        assert (await alice.get(PATH)).status_code == 403


async def test_a_person_of_another_tenant_is_not_served(chain: Chain) -> None:
    async with browser(chain, tenant="other") as alice:
        answer = await alice.get(PATH)

    assert answer.status_code == 403
    assert "does not serve your tenant" in answer.text
