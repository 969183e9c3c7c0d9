"""People log in at a real OpenID provider, in front of which the gateway stands."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.ports import Person
from mcp_gateway.oauth.vault import place_of
from tests.support.canaille_provider import canaille
from tests.support.certificates import Authority
from tests.support.connected import text_of
from tests.support.gateway import TENANT, GatewayUnderTest, free_port, gateway_under_test
from tests.support.logging_in import (
    CALLBACK,
    SECRET,
    World,
    asked,
    browser_at,
    config_of,
    log_in,
    sent,
    world,
)
from tests.support.runtime_oauth import Runtime, agreed


@pytest.fixture
async def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setenv("LOGIN_SECRET", SECRET)
    async with world(tmp_path) as made:
        yield made


@pytest.fixture
async def gateway(there: World) -> AsyncIterator[GatewayUnderTest]:
    async with there.gateway() as running:
        yield running


def one(gateway: GatewayUnderTest, kind: str) -> dict[str, object]:
    [found] = [line for line in gateway.entries() if line["kind"] == kind]
    return dict(found)


async def person_at(gateway: GatewayUnderTest, browser: httpx2.AsyncClient) -> Person | None:
    """Whom the gateway takes a browser for."""
    browsers = gateway.parts.wired.browsers
    assert browsers
    [cookie] = [c.value for c in browser.cookies.jar if c.name == "mcpgw"]
    return await browsers.who(str(cookie))


@pytest.mark.requirement("login:at-a-provider")
async def test_who_logs_in_at_the_provider_is_its_person_with_the_roles_it_says(
    there: World, gateway: GatewayUnderTest
) -> None:
    async with browser_at(gateway) as browser:
        page = await browser.get("/oauth/login")
        done = await log_in(browser, there.provider, "ada")
        mine = await browser.get("/connections")

    assert "Log in with Example Works" in page.text
    assert 'name="key"' not in page.text
    assert (done.status_code, done.headers["location"]) == (303, "/connections")
    assert "ada" in mine.text
    entry = one(gateway, "login")
    assert (entry["issuer"], entry["subject"]) == (there.provider.url, "ada")


@pytest.mark.requirement("login:at-a-provider")
async def test_a_runtime_with_the_url_alone_calls_as_who_logged_in_at_the_provider(
    there: World, gateway: GatewayUnderTest
) -> None:
    async def consenting(address: str) -> str:
        """Every step that a person takes: to the log-in, to the provider, back, and a yes."""
        async with browser_at(gateway) as browser:
            to_consent = await browser.get(address)
            to_log_in = await browser.get(_path(to_consent))
            page = await browser.get(_path(to_log_in))
            link = re.search(r'<a href="([^"]+)"', page.text)
            assert link, page.text
            leaving = await browser.get(unescape(link[1]))
            back = await there.provider.agreed(leaving.headers["location"], "ada")
            to_consent = await browser.get(CALLBACK, params=back)
            assert _path(to_consent).startswith("/oauth/consent?request=")
            return await agreed(browser, address)

    async with Runtime(gateway, consenting).client() as client:
        answer = await client.call_tool("time__echo", {"text": "hello"})

    assert "hello" in text_of(answer)
    outcome = gateway.outcomes()[-1]
    assert (outcome["issuer"], outcome["subject"]) == (there.provider.url, "ada")


def _path(answer: httpx2.Response) -> str:
    assert answer.status_code == 303, answer.text
    return httpx2.URL(answer.headers["location"]).raw_path.decode()


@pytest.mark.requirement("login:at-a-provider")
async def test_roles_are_those_of_the_last_log_in(there: World, gateway: GatewayUnderTest) -> None:
    async with browser_at(gateway) as browser:
        await log_in(browser, there.provider, "ada")
        person = await person_at(gateway, browser)

    assert person
    assert person.name == "Ada L."
    expected = Principal(there.provider.url, "ada", TENANT, roles=frozenset({"operator", "user"}))
    assert person.principal == expected


@pytest.mark.requirement("login:at-a-provider")
async def test_what_is_asked_for_is_bound_to_this_one_log_in(
    there: World, gateway: GatewayUnderTest
) -> None:
    async with browser_at(gateway) as browser:
        first, second = [asked(await sent(browser)) for _ in range(2)]

    assert first["code_challenge_method"] == "S256"
    assert first["redirect_uri"] == gateway.url + CALLBACK
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) == 43
        assert first[name] != second[name]


@pytest.mark.requirement("login:survives-a-restart")
async def test_a_restart_between_leaving_and_coming_back_is_not_noticed(there: World) -> None:
    cookies = httpx2.Cookies()
    async with there.gateway() as first, browser_at(first) as browser:
        address = await sent(browser)
        cookies = browser.cookies
    back = await there.provider.agreed(address, "ada")
    async with there.gateway() as second, browser_at(second) as browser:
        browser.cookies = cookies
        done = await browser.get(CALLBACK, params=back)
        mine = await browser.get("/connections")

    assert (done.status_code, mine.status_code) == (303, 200)


@pytest.mark.requirement("login:survives-a-restart")
async def test_one_gateway_takes_up_what_another_on_the_same_store_began(
    there: World, gateway: GatewayUnderTest
) -> None:
    async with there.gateway(free_port()) as other, browser_at(other) as browser:
        back = await there.provider.agreed(await sent(browser), "ada")
        async with browser_at(gateway) as same:
            same.cookies = browser.cookies
            done = await same.get(CALLBACK, params=back)
        mine = await browser.get("/connections", headers={"cookie": _cookie(done)})

    assert done.status_code == 303
    assert mine.status_code == 200


def _cookie(answer: httpx2.Response) -> str:
    """The one by which they are known from now on."""
    set_ = [said for said in answer.headers.get_list("set-cookie") if said.startswith("mcpgw=")]
    return set_[0].partition(";")[0]


@pytest.mark.requirement("login:tokens-are-sealed")
async def test_the_tokens_of_the_log_in_are_in_the_vault_and_nowhere_else(
    there: World, gateway: GatewayUnderTest
) -> None:
    async with browser_at(gateway) as browser:
        await log_in(browser, there.provider, "ada")
    vault = gateway.parts.wired.secrets
    assert vault
    ada = Principal(there.provider.url, "ada", TENANT)

    kept = await vault.get(place_of(ada, there.provider.url, "login"))

    assert kept["access_token"]
    assert kept["id_token"]
    stored = b"".join(
        file.read_bytes() for file in (there.folder / "var").rglob("*") if file.is_file()
    )
    for name in ("access_token", "id_token"):
        assert kept[name].encode() not in stored
    assert SECRET.encode() not in stored


@pytest.mark.requirement("login:disabled-is-disabled")
async def test_who_was_disabled_here_is_not_let_in_by_the_provider(
    there: World, gateway: GatewayUnderTest
) -> None:
    async with browser_at(gateway) as browser:
        await log_in(browser, there.provider, "ada")
        before = await browser.get("/connections")
        with gateway.parts.database.writing() as session:
            session.connection().exec_driver_sql("UPDATE persons SET disabled = 1")
        after = await browser.get("/connections")
        again = await log_in(browser, there.provider, "ada")

    assert (before.status_code, after.status_code) == (200, 303)
    assert again.status_code == 403
    assert "You may not log in here any more" in again.text


def _client_at(port: int) -> dict[str, Any]:
    """The gateway, as the provider knows it."""
    return {
        "client_id": "gateway",
        "client_secret": SECRET,
        "client_name": "The gateway",
        "redirect_uris": [f"http://127.0.0.1:{port}{CALLBACK}"],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "scope": ["openid", "profile", "groups"],
        "token_endpoint_auth_method": "client_secret_basic",
    }


@pytest.mark.requirement("login:at-any-provider")
async def test_it_is_the_same_at_a_provider_of_others_which_names_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Canaille, which advertises `plain` and passwords beside what is asked for here."""
    monkeypatch.setenv("LOGIN_SECRET", SECRET)
    port, trusted = free_port(), Authority(tmp_path)
    async with canaille(tmp_path, trusted, _client_at(port)) as provider:
        config = config_of(provider.url, port, trusted).replace(
            'name = "Example Works"',
            'scopes = ["openid", "profile", "groups"]\nroles_claim = "groups"',
        )
        async with (
            gateway_under_test(tmp_path, config, port) as gateway,
            browser_at(gateway) as browser,
        ):
            await gateway.serving("time")
            back = await provider.agreed(await sent(browser), "ada")
            done = await browser.get(CALLBACK, params=back)
            person = await person_at(gateway, browser)

    assert (done.status_code, done.headers["location"]) == (303, "/connections")
    assert person
    assert person.name == "Ada L."
    assert person.principal == Principal(
        provider.url, "ada", TENANT, roles=frozenset({"operator", "user"})
    )
