"""Log-ins of somebody else's, tried at the page."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from mcp_gateway.edge.failures import MOST_FAILURES
from mcp_gateway.services.passwords import WRONG, hashed
from mcp_gateway.store.people import PersonRows
from mcp_gateway.store.rows import PersonRow
from tests.scenarios.test_authorization import CONFIG, asking, redeeming, registered
from tests.support.connected import token_in
from tests.support.gateway import BOUND, TENANT, GatewayUnderTest, gateway_under_test

RIGHT = "correct horse battery"
HASH = hashed(RIGHT)
MARKUP = "<img src=x onerror=alert(1)> \"'&"


@dataclass
class World:
    gateway: GatewayUnderTest
    folder: Path

    def person(self, subject: str, password: str = HASH, name: str = "") -> str:
        row = PersonRow(
            id=f"id-of-{subject}",
            tenant=TENANT,
            issuer="local",
            subject=subject,
            name=name,
            roles="user",
            password=password,
            created=1,
        )
        assert PersonRows(self.gateway.parts.database).add(row)
        return subject

    def browser(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.gateway.url, timeout=BOUND)

    async def administers(self, act: str, name: str) -> None:
        async with self.gateway.http("admin") as admin:
            done = await admin.post(f"/admin/people/{act}", json={"name": name})
            assert done.status_code == 200, done.text


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder: Path = tmp_path_factory.mktemp("login")
    async with gateway_under_test(folder, CONFIG) as gateway:
        await gateway.serving("time")
        yield World(gateway, folder)


async def tried(
    browser: httpx2.AsyncClient, next_: str = "/connections", **shown: str
) -> httpx2.Response:
    """What the page answers to its own form."""
    form = await browser.get("/oauth/login", params={"next": next_})
    data = {"token": token_in(form.text), **shown}
    return await browser.post("/oauth/login", params={"next": next_}, data=data)


@pytest.mark.requirement("attack:e1")
async def test_a_refusal_does_not_say_who_exists(world: World) -> None:
    known, empty = world.person("known"), world.person("at-a-provider", password="")
    world.person("disabled-one")
    await world.administers("disable", "disabled-one")

    async with world.browser() as browser:
        told = [
            await tried(browser, name=name, password=password)
            for name, password in (
                (known, "a wrong pass phrase"),
                ("nobody-of-this-name", RIGHT),
                (empty, RIGHT),
                (empty, ""),
                ("disabled-one", RIGHT),
            )
        ]

    said = {re.sub(r'value="[0-9a-f]{64}"', "", one.text) for one in told}
    assert len(said) == 1
    assert WRONG in said.pop()
    assert {one.status_code for one in told} == {403}
    assert "mcpgw" not in browser.cookies


@pytest.mark.requirement("attack:e3")
async def test_an_address_that_tries_many_names_is_not_heard(tmp_path: Path) -> None:
    async with gateway_under_test(tmp_path, CONFIG) as gateway:
        sprayed = World(gateway, tmp_path)
        sprayed.person("last")
        async with sprayed.browser() as browser:
            token = token_in((await browser.get("/oauth/login")).text)
            for n in range(MOST_FAILURES):
                names = {"name": f"name-{n}", "password": RIGHT} if n % 12 == 0 else {"key": f"{n}"}
                refused = await browser.post("/oauth/login", data={"token": token, **names})
                assert refused.status_code == 403

            right = {"token": token, "name": "last", "password": RIGHT}
            answer = await browser.post("/oauth/login", data=right)

        assert answer.status_code == 429
        assert "mcpgw" not in browser.cookies


@pytest.mark.requirement("attack:e5")
async def test_nobody_is_logged_in_as_the_attacker(world: World) -> None:
    name = world.person("mallory")
    async with world.browser() as attacker, world.browser() as victim:
        theirs = token_in((await attacker.get("/oauth/login")).text)
        own = token_in((await victim.get("/oauth/login")).text)
        shown = {"name": name, "password": RIGHT}
        forged = [
            await victim.post("/oauth/login", data={**shown, "token": theirs}),
            await victim.post("/oauth/login", data=shown),
            await victim.post("/oauth/login", data={**shown, "token": ""}),
            await victim.post(
                "/oauth/login",
                data={**shown, "token": own},
                headers={"origin": "https://evil.example"},
            ),
        ]

        assert {one.status_code for one in forged} == {403}
        assert "mcpgw" not in victim.cookies


@pytest.mark.requirement("attack:e6")
async def test_a_planted_cookie_opens_nothing_after_the_log_in(world: World) -> None:
    name = world.person("peggy")
    async with world.browser() as victim, world.browser() as attacker:
        victim.cookies.set("mcpgw", "planted", domain="127.0.0.1", path="/")
        done = await tried(victim, name=name, password=RIGHT)
        mine = await victim.get("/connections")
        theirs = await attacker.get("/connections", headers={"cookie": "mcpgw=planted"})

    assert done.status_code == 303
    assert "planted" not in done.headers["set-cookie"]
    assert "HttpOnly" in done.headers["set-cookie"]
    assert "peggy" in mine.text
    assert theirs.status_code == 303


ID = "A" * 43


@pytest.mark.requirement("attack:e7")
@pytest.mark.parametrize(
    "next_",
    [
        f"https://evil.example/oauth/consent?request={ID}",
        f"//evil.example/oauth/consent?request={ID}",
        f"/\\evil.example/oauth/consent?request={ID}",
        f"/oauth/consent?request={ID}&next=//evil.example",
        f"/oauth/consent?request={ID}#@evil.example",
        f"/oauth/consent?request={ID}A",
        f"/oauth/consent?request={ID[1:]}",
        f"/oauth/consent?request={ID[1:]}é",
        f"/oauth/consent?request={ID}\r\nlocation: https://evil.example",
        f"/oauth/consent/?request={ID}",
        f"/OAUTH/consent?request={ID}",
        f"/oauth/consent?other={ID}",
        "/oauth/authorize?client_id=evil",
        "javascript:alert(1)//evil",
        "/connections@evil.example",
    ],
)
async def test_a_log_in_leads_nowhere_else(world: World, next_: str) -> None:
    async with world.browser() as browser:
        token = token_in((await browser.get("/oauth/login")).text)
        shown = await browser.get("/oauth/login", params={"next": next_})
        shown_again = await browser.get(
            f"/oauth/login?next=%2Fconnections&{httpx2.QueryParams({'next': next_})}"
        )
        key = world.gateway.keys["alice"]
        sent = await browser.post(
            "/oauth/login", params={"next": next_}, data={"token": token, "key": key}
        )

    for answer in (shown, shown_again, sent):
        assert answer.status_code == 400
        assert "location" not in answer.headers
        assert "evil" not in answer.text


@pytest.mark.requirement("attack:e7")
async def test_a_log_in_leads_back_to_the_consent_that_sent_for_it(world: World) -> None:
    name = world.person("victor")
    async with world.browser() as browser:
        client = await registered(browser)
        begun = await browser.get("/oauth/authorize", params=asking(client))
        sent = await browser.get(begun.headers["location"])
        next_ = parse_qs(urlsplit(sent.headers["location"]).query)["next"][0]
        done = await tried(browser, next_, name=name, password=RIGHT)
        page = await browser.get(done.headers["location"])

    assert begun.headers["location"] == world.gateway.url + done.headers["location"]
    assert page.status_code == 200
    assert "victor" in page.text


@pytest.mark.requirement("attack:e8")
async def test_markup_in_a_name_is_text_and_what_was_typed_is_not_repeated(world: World) -> None:
    name = world.person("trudy", name=MARKUP)
    async with world.browser() as browser:
        client = await registered(browser)
        refused = await tried(browser, name=MARKUP, password=MARKUP)
        await tried(browser, name=name, password=RIGHT)
        begun = await browser.get("/oauth/authorize", params=asking(client))
        pages = [
            await browser.get("/connections"),
            await browser.get(begun.headers["location"]),
        ]

    assert refused.status_code == 403
    assert "onerror" not in refused.text
    for page in pages:
        assert page.status_code == 200
        assert "<img" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "&lt;img src=x onerror=alert(1)&gt;" in pages[1].text


@pytest.mark.requirement("attack:e9")
@pytest.mark.requirement("people:what-ends-them")
async def test_who_is_disabled_has_nothing_left(world: World) -> None:
    name = world.person("walter")
    async with world.browser() as browser, world.browser() as runtime:
        client = await registered(runtime)
        await tried(browser, name=name, password=RIGHT)
        first = await allowed(browser, client)
        token = (await runtime.post("/oauth/token", data=redeeming(client, first))).json()
        under_way = await allowed(browser, client)
        before = await whoami(runtime, token["access_token"])

        await world.administers("disable", name)

        after = await whoami(runtime, token["access_token"])
        late = await runtime.post("/oauth/token", data=redeeming(client, under_way))
        renewing = {
            "grant_type": "refresh_token",
            "refresh_token": token["refresh_token"],
            "client_id": client,
        }
        renewed = await runtime.post("/oauth/token", data=renewing)
        page = await browser.get("/connections")
        again = await tried(browser, name=name, password=RIGHT)

    assert (before, after) == (200, 401)
    assert (late.json()["error"], renewed.json()["error"]) == ("invalid_grant", "invalid_grant")
    assert page.status_code == 303
    assert again.status_code == 403


async def allowed(browser: httpx2.AsyncClient, client: str) -> str:
    """Where the browser is sent with a code."""
    wanted = asking(client) | {"scope": "mcp offline_access"}
    begun = await browser.get("/oauth/authorize", params=wanted)
    page = begun.headers["location"]
    form = {"token": token_in((await browser.get(page)).text), "answer": "yes"}
    return str((await browser.post(page, data=form)).headers["location"])


async def whoami(runtime: httpx2.AsyncClient, token: str) -> int:
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "a", "version": "1"},
        },
    }
    headers = {
        "authorization": f"Bearer {token}",
        "accept": "application/json, text/event-stream",
    }
    return (await runtime.post("/mcp", json=call, headers=headers)).status_code


@pytest.mark.requirement("attack:e10")
async def test_a_password_that_was_shown_is_in_no_file(world: World) -> None:
    marked = "marked-pass-phrase-7f1c"
    name = world.person("xenia", password=hashed(marked))
    async with world.browser() as browser:
        await tried(browser, name=name, password=f"{marked} wrong")
        assert (await tried(browser, name=name, password=marked)).status_code == 303

    files = [path for path in world.folder.rglob("*") if path.is_file()]
    assert [path for path in files if marked.encode() in path.read_bytes()] == []
    assert any(b"argon2id" in path.read_bytes() for path in files)


@pytest.mark.requirement("attack:e11")
async def test_a_password_counts_in_the_pages_own_form_alone(world: World) -> None:
    name = world.person("yvonne")
    shown = {"name": name, "password": RIGHT}
    async with world.browser() as browser:
        token = token_in((await browser.get("/oauth/login")).text)
        answers = [
            await browser.get("/oauth/login", params={**shown, "token": token}),
            await browser.post("/oauth/login", params={**shown, "token": token}),
            await browser.post("/oauth/login", json={**shown, "token": token}),
            await browser.post("/oauth/login", data={"token": token}),
            await browser.post(
                "/oauth/login",
                content=f"token={token}&name={name}&password=wrong&password={RIGHT}",
                headers={"content-type": "application/x-www-form-urlencoded"},
            ),
        ]

    assert [one.status_code for one in answers] == [200, 403, 415, 400, 400]
    assert "mcpgw" not in browser.cookies
