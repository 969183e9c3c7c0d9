from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.pages.connect import ConnectPages
from mcp_gateway.oauth.ports import Brought, ConnectFailed
from mcp_gateway.oauth.vault import place_of
from tests.support.connecting import ALICE, ALICE_THERE, BOB_THERE, PUBLIC, Bench, bench
from tests.support.oauth_fakes import FakeBrowsers

PEOPLE = FakeBrowsers({"alices": ALICE_THERE, "bobs": BOB_THERE})


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Bench]:
    made = bench(tmp_path)
    yield made
    made.database.close()


def browser(at: Bench, cookie: str = "alices", people: FakeBrowsers | None = PEOPLE) -> Any:
    """A browser at the pages, which is logged in by this cookie."""
    origins = Origins(PUBLIC, "127.0.0.1:8080", [], [])
    pages = ConnectPages(PUBLIC, origins, at.consenting, lambda: people)
    transport = httpx2.ASGITransport(app=Starlette(routes=list(pages.routes())))
    cookies = {"mcpgw": cookie} if cookie else {}
    return httpx2.AsyncClient(transport=transport, base_url=PUBLIC, cookies=cookies)


@pytest.fixture
async def alice(at: Bench) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser(at) as client:
        yield client


async def begun(at: Bench, alice: httpx2.AsyncClient) -> str:
    """The state of a consent that this browser began."""
    ticket = await at.ticket()
    await alice.get(f"/connect/{ticket}")
    answer = await alice.post(f"/connect/{ticket}")
    return str(answer.headers["refresh"]).partition("state=")[2]


@pytest.mark.requirement("connecting:a-consent-connects")
async def test_a_person_follows_the_link_consents_and_is_connected(
    at: Bench, alice: httpx2.AsyncClient
) -> None:
    ticket = await at.ticket(scopes=frozenset({"read"}))

    shown = await alice.get(f"/connect/{ticket}")
    sent = await alice.post(f"/connect/{ticket}", headers={"origin": PUBLIC})
    state = at.client.began[0][2]
    back = await alice.get("/connect/callback", params={"state": state, "code": "c"})

    assert shown.status_code == 200
    assert "docs.example" in shown.text
    assert "<code>read</code>" in shown.text
    assert sent.headers["refresh"] == f"0;url=https://as.example/authorize?state={state}"
    assert f'href="https://as.example/authorize?state={state}"' in sent.text
    assert back.status_code == 200
    assert "docs is connected to you" in back.text
    assert [granted.state for granted in at.current.keyring.grants.values()] == ["connected"]


@pytest.mark.requirement("attack:f4")
async def test_who_fetches_a_link_ahead_starts_nothing(
    at: Bench, alice: httpx2.AsyncClient
) -> None:
    ticket = await at.ticket()

    fetched = [await alice.request(how, f"/connect/{ticket}") for how in ("GET", "HEAD", "GET")]

    assert [answer.status_code for answer in fetched] == [200, 200, 200]
    assert at.client.began == []
    assert at.ledger.kinds == []


@pytest.mark.requirement("connecting:pages-hold-nothing-that-runs")
async def test_a_page_has_no_script_is_framed_by_nobody_and_kept_by_nobody(
    at: Bench, alice: httpx2.AsyncClient
) -> None:
    page = await alice.get(f"/connect/{await at.ticket()}")

    assert page.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "<script" not in page.text
    cookie = page.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


@pytest.mark.requirement("attack:f1")
async def test_another_person_learns_nothing_from_a_link(at: Bench) -> None:
    ticket = await at.ticket(scopes=frozenset({"read"}))

    async with browser(at, "bobs") as bob:
        answers = [await bob.get(f"/connect/{ticket}"), await bob.post(f"/connect/{ticket}")]

    for answer in answers:
        assert answer.status_code == 403
        assert "not yours" in answer.text
        assert not {"alice", "docs", "read"} & set(answer.text.replace("<", " ").split())


async def test_who_is_not_logged_in_logs_in_first_and_comes_back(at: Bench) -> None:
    ticket = await at.ticket()

    async with browser(at, "") as stranger:
        shown = await stranger.get(f"/connect/{ticket}")
        sent = await stranger.post(f"/connect/{ticket}")

    for answer in (shown, sent):
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/oauth/login?next=%2Fconnect%2F{ticket}"


async def test_without_a_log_in_a_page_says_whom_to_ask(at: Bench) -> None:
    async with browser(at, "", None) as stranger:
        answer = await stranger.get(f"/connect/{await at.ticket()}")

    assert answer.status_code == 403
    assert "administrator" in answer.text


async def test_who_logged_out_on_the_way_is_not_connected(at: Bench) -> None:
    async with browser(at) as alice:
        state = await begun(at, alice)
        alice.cookies.delete("mcpgw")
        answer = await alice.get("/connect/callback", params={"state": state, "code": "c"})

    assert answer.status_code == 403
    assert at.client.redeemed == []


@pytest.mark.requirement("attack:f2")
async def test_a_link_that_is_over_says_that_a_new_one_is_to_be_had(
    at: Bench, alice: httpx2.AsyncClient
) -> None:
    state = await begun(at, alice)
    await alice.get("/connect/callback", params={"state": state, "code": "c"})

    again = await alice.get("/connect/callback", params={"state": state, "code": "c"})
    unknown = await alice.get("/connect/nothing")

    for answer in (again, unknown):
        assert answer.status_code == 404
        assert "Call again" in answer.text
    assert len(at.client.redeemed) == 1


@pytest.mark.requirement("connecting:a-state-comes-back-once")
async def test_a_code_that_is_brought_by_another_browser_of_the_same_person_is_not_redeemed(
    at: Bench, alice: httpx2.AsyncClient
) -> None:
    state = await begun(at, alice)

    async with browser(at) as another:
        answer = await another.get("/connect/callback", params={"state": state, "code": "evil"})

    assert answer.status_code == 404
    assert at.client.redeemed == []


async def test_a_browser_that_keeps_no_cookie_is_told_so(at: Bench) -> None:
    async with browser(at) as alice:
        answer = await alice.post(f"/connect/{await at.ticket()}")

    assert answer.status_code == 400
    assert "kept no cookie" in answer.text
    assert at.client.began == []


@pytest.mark.requirement("attack:f7")
async def test_a_page_of_another_origin_or_under_another_name_connects_nothing(
    at: Bench, alice: httpx2.AsyncClient
) -> None:
    path = f"/connect/{await at.ticket()}"
    await alice.get(path)

    crossed = [
        await alice.post(path, headers={"origin": origin})
        for origin in ("https://evil.example", "null")
    ]
    rebound = await alice.get(path, headers={"host": "evil.example"})

    assert [answer.status_code for answer in crossed] == [403, 403]
    assert rebound.status_code == 421
    assert at.client.began == []


async def test_what_the_upstreams_server_refused_is_said_in_its_words_as_text(
    at: Bench, alice: httpx2.AsyncClient
) -> None:
    at.client.failure = ConnectFailed("<script>alert(1)</script>")
    state = await begun(at, alice)

    answer = await alice.get("/connect/callback", params={"state": state, "error": "x"})

    assert answer.status_code == 400
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text


async def test_a_parameter_that_stands_twice_is_not_read(
    at: Bench, alice: httpx2.AsyncClient
) -> None:
    state = await begun(at, alice)

    answer = await alice.get(f"/connect/callback?state={state}&code=a&code=b")
    many = await alice.get("/connect/callback?" + "&".join(f"p{n}=1" for n in range(60)))

    assert (answer.status_code, many.status_code) == (400, 400)
    assert at.client.redeemed == []


@pytest.mark.requirement("connecting:a-key-is-typed-in")
async def test_a_key_of_ones_own_is_put_into_a_form(at: Bench, alice: httpx2.AsyncClient) -> None:
    path = f"/connect/{await at.ticket('keyed')}"

    shown = await alice.get(path)
    bad = await alice.post(path, data={"secret": "with a blank"})
    good = await alice.post(path, data={"secret": "k-123"})

    assert 'type="password"' in shown.text
    assert (bad.status_code, good.status_code) == (400, 200)
    assert "with a blank" not in bad.text
    assert await at.secrets.get(place_of(ALICE, "keyed", "static")) == {"value": "k-123"}


async def test_a_form_is_small_and_a_form(at: Bench, alice: httpx2.AsyncClient) -> None:
    path = f"/connect/{await at.ticket('keyed')}"

    large = await alice.post(path, data={"secret": "k" * 20_000})
    json = await alice.post(path, json={"secret": "k"})

    assert (large.status_code, json.status_code) == (413, 415)


async def test_what_cannot_be_recorded_is_not_connected(
    at: Bench, alice: httpx2.AsyncClient
) -> None:
    state = await begun(at, alice)
    at.ledger.broken = {"grant.made"}
    at.client.brought = Brought({"access_token": "at"})

    answer = await alice.get("/connect/callback", params={"state": state, "code": "c"})

    assert answer.status_code == 503
    assert at.current.keyring.grants == {}
