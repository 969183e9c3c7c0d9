"""People log in with what their runtime shows, in the browser that was shown the form."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from mcp_gateway.edge.failures import MOST_FAILURES
from mcp_gateway.services.passwords import hashed
from mcp_gateway.store.people import PersonRows
from mcp_gateway.store.rows import PersonRow
from tests.support.gateway import TENANT, GatewayUnderTest, gateway_under_test

PASSWORD = "correct horse battery"
CONFIG = """
[policy]
rules = ["builtin:first-run"]
"""


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[GatewayUnderTest]:
    async with gateway_under_test(tmp_path, CONFIG) as running:
        yield running


@pytest.fixture
async def browser(gateway: GatewayUnderTest) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=gateway.url) as client:
        yield client


def token(shown: httpx2.Response) -> str:
    found = re.search(r'name="token" value="([0-9a-f]+)"', shown.text)
    assert found, shown.text
    return found[1]


async def log_in(
    browser: httpx2.AsyncClient, key: str, next_: str = "/connections"
) -> httpx2.Response:
    form = await browser.get("/oauth/login", params={"next": next_})
    data = {"token": token(form), "key": key}
    return await browser.post("/oauth/login", params={"next": next_}, data=data)


@pytest.mark.requirement("login:with-a-key")
async def test_who_has_a_key_logs_in_sees_their_connections_and_logs_out(
    gateway: GatewayUnderTest, browser: httpx2.AsyncClient
) -> None:
    sent = await browser.get("/connections")
    done = await log_in(browser, gateway.keys["alice"])
    mine = await browser.get("/connections")
    left = await browser.post("/oauth/logout", data={"token": token(mine)})
    again = await browser.get("/connections")

    assert (sent.status_code, sent.headers["location"]) == (
        303,
        "/oauth/login?next=%2Fconnections",
    )
    assert (done.status_code, done.headers["location"]) == (303, "/connections")
    assert "alice" in mine.text
    assert left.status_code == 200
    assert again.status_code == 303


@pytest.mark.requirement("login:with-a-key")
async def test_what_is_no_key_opens_nothing_and_is_not_repeated(
    browser: httpx2.AsyncClient,
) -> None:
    refused = await log_in(browser, "mcpgw_0a1b2c3d_not-a-key")

    assert refused.status_code == 403
    assert "not-a-key" not in refused.text
    assert "mcpgw" not in browser.cookies
    assert (await browser.get("/connections")).status_code == 303


@pytest.mark.requirement("login:ends")
async def test_who_is_logged_in_with_a_key_that_is_revoked_is_logged_in_no_more(
    gateway: GatewayUnderTest, browser: httpx2.AsyncClient
) -> None:
    await log_in(browser, gateway.keys["alice"])
    before = await browser.get("/connections")
    key = gateway.keys["alice"].split("_")[1]
    async with gateway.http("admin") as admin:
        revoked = await admin.post("/admin/keys/revoke", json={"id": key})

    after = await browser.get("/connections")

    assert (before.status_code, revoked.status_code, after.status_code) == (200, 200, 303)


@pytest.mark.requirement("login:forms-are-of-the-browser")
async def test_a_form_of_another_browser_logs_nobody_in(
    gateway: GatewayUnderTest, browser: httpx2.AsyncClient
) -> None:
    form = await browser.get("/oauth/login")
    async with httpx2.AsyncClient(base_url=gateway.url) as victim:
        await victim.get("/oauth/login")
        data = {"token": token(form), "key": gateway.keys["alice"]}
        forged = await victim.post("/oauth/login", data=data)

        assert forged.status_code == 403
        assert "mcpgw" not in victim.cookies


@pytest.mark.requirement("login:forms-are-of-the-browser")
async def test_a_page_of_another_origin_cannot_send_it(
    gateway: GatewayUnderTest, browser: httpx2.AsyncClient
) -> None:
    form = await browser.get("/oauth/login")
    data = {"token": token(form), "key": gateway.keys["alice"]}

    refused = await browser.post(
        "/oauth/login", data=data, headers={"origin": "https://evil.example"}
    )

    assert refused.status_code == 403


@pytest.mark.requirement("login:forms-are-of-the-browser")
async def test_each_log_in_is_a_new_cookie(
    gateway: GatewayUnderTest, browser: httpx2.AsyncClient
) -> None:
    browser.cookies.set("mcpgw", "fixed-by-somebody", domain="127.0.0.1", path="/")
    await log_in(browser, gateway.keys["alice"])
    first = {c.value for c in browser.cookies.jar if c.name == "mcpgw"}
    await log_in(browser, gateway.keys["alice"])
    second = {c.value for c in browser.cookies.jar if c.name == "mcpgw"}
    async with httpx2.AsyncClient(base_url=gateway.url) as other:
        with_the_first = await other.get(
            "/connections", headers={"cookie": f"mcpgw={next(iter(first))}"}
        )

    assert "fixed-by-somebody" not in second
    assert first != second
    assert with_the_first.status_code == 303


@pytest.mark.requirement("login:forms-are-of-the-browser")
async def test_of_two_cookies_of_the_name_none_is_taken(
    gateway: GatewayUnderTest, browser: httpx2.AsyncClient
) -> None:
    await log_in(browser, gateway.keys["alice"])
    good = next(c.value for c in browser.cookies.jar if c.name == "mcpgw")
    async with httpx2.AsyncClient(base_url=gateway.url) as other:
        pairs = (f"mcpgw={good}", f"mcpgw={good}; mcpgw=x", f"mcpgw=x; mcpgw={good}")
        answers = [await other.get("/connections", headers={"cookie": pair}) for pair in pairs]

    assert [answer.status_code for answer in answers] == [200, 303, 303]


@pytest.mark.requirement("login:forms-are-of-the-browser")
@pytest.mark.parametrize(
    "next_",
    [
        "https://evil.example/",
        "//evil.example/connections",
        "/connections/../admin",
        "/connections\\@evil.example",
        "/connect/short",
        "/oauth/login",
        "javascript:alert(1)",
        "/connections?x=1",
        "/connections\n",
        "",
    ],
)
async def test_a_log_in_leads_to_named_pages_of_the_gateway_alone(
    browser: httpx2.AsyncClient, next_: str
) -> None:
    shown = await browser.get("/oauth/login", params={"next": next_})

    assert shown.status_code == 400
    assert "evil" not in shown.text


@pytest.mark.requirement("login:forms-are-of-the-browser")
async def test_the_page_has_no_script_and_stands_in_no_frame(
    browser: httpx2.AsyncClient,
) -> None:
    shown = await browser.get("/oauth/login")

    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert shown.headers["x-frame-options"] == "DENY"
    assert shown.headers["cache-control"] == "no-store"
    assert "<script" not in shown.text
    assert "style=" not in shown.text
    assert "HttpOnly" in shown.headers["set-cookie"]
    assert "SameSite=lax" in shown.headers["set-cookie"]


@pytest.mark.requirement("login:failures-are-limited")
async def test_an_address_that_guesses_is_not_heard_for_a_while(
    gateway: GatewayUnderTest, browser: httpx2.AsyncClient
) -> None:
    form = await browser.get("/oauth/login")
    data = {"token": token(form), "key": "a guess"}
    for _ in range(MOST_FAILURES):
        assert (await browser.post("/oauth/login", data=data)).status_code == 403

    right = await browser.post("/oauth/login", data={**data, "key": gateway.keys["alice"]})

    assert right.status_code == 429
    assert "mcpgw" not in browser.cookies


async def test_where_nothing_logs_anybody_in_the_pages_say_so(tmp_path: Path) -> None:
    config = f"{CONFIG}\n[authorization]\nkeys = false\npasswords = false\n"
    async with (
        gateway_under_test(tmp_path / "other", config) as gateway,
        httpx2.AsyncClient(base_url=gateway.url) as browser,
    ):
        shown = await browser.get("/connections")

    assert shown.status_code == 403
    assert "Nobody can log in here" in shown.text


@pytest.mark.requirement("login:with-a-password")
async def test_a_password_is_asked_for_only_where_somebody_has_one(
    gateway: GatewayUnderTest, browser: httpx2.AsyncClient
) -> None:
    before = await browser.get("/oauth/login")
    assert added(gateway, "ada")
    after = await browser.get("/oauth/login")
    form = {"token": token(after), "name": "ada", "password": PASSWORD}
    done = await browser.post("/oauth/login", data=form)
    mine = await browser.get("/connections")

    assert 'name="password"' not in before.text
    assert 'name="key"' in before.text
    assert 'autocomplete="current-password"' in after.text
    assert 'name="key"' in after.text
    assert (done.status_code, done.headers["location"]) == (303, "/connections")
    assert "ada" in mine.text
    logged_in = [line for line in gateway.entries() if line["kind"] == "login"]
    assert [line["subject"] for line in logged_in] == ["ada"]


@pytest.mark.requirement("login:with-a-password")
async def test_where_passwords_alone_log_in_nobody_does_before_somebody_is_added(
    tmp_path: Path,
) -> None:
    config = f"{CONFIG}\n[authorization]\nkeys = false\n"
    async with (
        gateway_under_test(tmp_path / "other", config) as gateway,
        httpx2.AsyncClient(base_url=gateway.url) as browser,
    ):
        nobody = await browser.get("/oauth/login")
        assert added(gateway, "ada")
        shown = await browser.get("/oauth/login")
        by_key = {"token": token(shown), "key": gateway.keys["alice"]}
        refused = await browser.post("/oauth/login", data=by_key)

    assert nobody.status_code == 403
    assert "nobody can log in here yet" in nobody.text
    assert (shown.status_code, 'name="key"' in shown.text) == (200, False)
    assert refused.status_code == 400


@pytest.mark.requirement("login:with-a-password")
async def test_where_passwords_are_off_nobody_logs_in_with_theirs(tmp_path: Path) -> None:
    config = f"{CONFIG}\n[authorization]\npasswords = false\n"
    async with (
        gateway_under_test(tmp_path / "other", config) as gateway,
        httpx2.AsyncClient(base_url=gateway.url) as browser,
    ):
        assert added(gateway, "ada")
        shown = await browser.get("/oauth/login")
        form = {"token": token(shown), "name": "ada", "password": PASSWORD}
        refused = await browser.post("/oauth/login", data=form)

    assert 'name="password"' not in shown.text
    assert refused.status_code == 400


def added(gateway: GatewayUnderTest, subject: str) -> bool:
    person = PersonRow(
        id=subject,
        tenant=TENANT,
        issuer="local",
        subject=subject,
        roles="user",
        password=hashed(PASSWORD),
        created=1,
    )
    return PersonRows(gateway.parts.database).add(person)
