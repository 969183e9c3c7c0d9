"""Consents that somebody else would have for themselves."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from tests.scenarios.test_authorization import CONFIG, asking, redeeming, registered
from tests.support.connected import browser_of, token_in
from tests.support.gateway import BOUND, GatewayUnderTest, gateway_under_test

World = tuple[GatewayUnderTest, httpx2.AsyncClient]


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder: Path = tmp_path_factory.mktemp("consent")
    async with (
        gateway_under_test(folder, CONFIG) as gateway,
        httpx2.AsyncClient(base_url=gateway.url, timeout=BOUND) as anybody,
    ):
        await gateway.serving("time")
        gateway.key("bob", "user")
        await gateway.parts.keyring.refresh()
        yield gateway, anybody


async def begun(browser: httpx2.AsyncClient, client: str, **changes: str) -> str:
    """Where the consent page of a request is that began in this browser."""
    answer = await browser.get("/oauth/authorize", params=asking(client, **changes))
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def sent(browser: httpx2.AsyncClient, page: str, form: dict[str, str]) -> httpx2.Response:
    return await browser.post(page, data={"answer": "yes", **form})


@pytest.mark.requirement("attack:e40")
async def test_a_request_that_began_in_another_browser_is_not_shown_nor_answered(
    world: World,
) -> None:
    gateway, anybody = world
    client = await registered(anybody)
    async with browser_of(gateway, "bob") as attacker, browser_of(gateway, "alice") as victim:
        page = await begun(attacker, client)
        token = token_in((await attacker.get(page)).text)

        shown = await victim.get(page)
        answer = await sent(victim, page, {"token": token})

    assert shown.status_code == 404
    assert answer.status_code == 404


@pytest.mark.requirement("attack:e41")
async def test_a_form_of_one_request_does_not_answer_another_clients(world: World) -> None:
    gateway, anybody = world
    harmless, greedy = await registered(anybody), await registered(anybody)
    async with browser_of(gateway, "alice") as browser:
        token = token_in((await browser.get(await begun(browser, harmless))).text)
        page = await begun(browser, greedy)

        answer = await sent(browser, page, {"token": token})

    assert answer.status_code == 403


@pytest.mark.requirement("attack:e42")
async def test_nobody_consents_before_they_have_logged_in(world: World) -> None:
    gateway, anybody = world
    client = await registered(anybody)
    async with httpx2.AsyncClient(base_url=gateway.url, timeout=BOUND) as browser:
        page = await begun(browser, client)
        shown = await browser.get(page)
        answer = await sent(browser, page, {"token": "0" * 64})

    assert shown.status_code == 303
    assert shown.headers["location"].startswith("/oauth/login?next=%2Foauth%2Fconsent")
    assert answer.status_code == 403


@pytest.mark.requirement("attack:e43")
@pytest.mark.requirement("authorization:asked-always")
async def test_a_consent_counts_once_and_the_next_request_is_asked_anew(world: World) -> None:
    gateway, anybody = world
    client = await registered(anybody)
    async with browser_of(gateway, "alice") as browser:
        page = await begun(browser, client)
        form = {"token": token_in((await browser.get(page)).text)}
        first, again = await sent(browser, page, form), await sent(browser, page, form)
        asked_anew = await browser.get(await begun(browser, client))

    assert (first.status_code, again.status_code) == (303, 404)
    assert asked_anew.status_code == 200
    assert "Allow" in asked_anew.text


@pytest.mark.requirement("attack:e44")
async def test_a_form_that_another_site_sends_or_that_has_no_token_counts_for_nothing(
    world: World,
) -> None:
    gateway, anybody = world
    client = await registered(anybody)
    async with browser_of(gateway, "alice") as browser:
        page = await begun(browser, client)
        token = token_in((await browser.get(page)).text)
        bare = await sent(browser, page, {})
        crossing = await browser.post(
            page,
            data={"answer": "yes", "token": token},
            headers={"origin": "https://evil.example"},
        )

    assert bare.status_code == 403
    assert crossing.status_code == 403


@pytest.mark.requirement("attack:e45")
async def test_a_form_that_one_person_was_shown_is_not_anothers_who_logged_in_since(
    world: World,
) -> None:
    gateway, anybody = world
    client = await registered(anybody)
    async with browser_of(gateway, "alice") as browser, browser_of(gateway, "bob") as other:
        page = await begun(browser, client)
        token = token_in((await browser.get(page)).text)
        logged_in, asked_in = other.cookies["mcpgw"], browser.cookies["mcpgw-authorize"]
        browser.cookies = httpx2.Cookies({"mcpgw": logged_in, "mcpgw-authorize": asked_in})
        assert "bob" in (await browser.get(page)).text

        answer = await sent(browser, page, {"token": token})

    assert answer.status_code == 403


@pytest.mark.requirement("attack:e46")
@pytest.mark.requirement("authorization:asked-always")
@pytest.mark.requirement("authorization:not-readable-by-scripts")
async def test_the_page_names_what_is_asked_for_and_markup_in_a_name_is_text(world: World) -> None:
    gateway, anybody = world
    client = await registered(anybody, client_name="<script>alert(1)</script> by 'Anthropic'")
    async with browser_of(gateway, "alice") as browser:
        shown = await browser.get(await begun(browser, client))

    assert "<script" not in shown.text
    assert "&lt;script&gt;" in shown.text
    assert "anybody can take this name" in shown.text
    for said in ("127.0.0.1", f"{gateway.url}/mcp", "offline_access", "alice"):
        assert said in shown.text
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:7777;" in policy
    assert shown.headers["x-frame-options"] == "DENY"


@pytest.mark.requirement("authorization:never-redirected-to-strangers")
@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "unknown"},
        {"client_id": ""},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": "http://127.0.0.1:7777/other"},
        {"redirect_uri": "http://127.0.0.1:7777/callback/../other"},
        {"redirect_uri": "http://127.0.0.1:80@evil.example/callback"},
        {"redirect_uri": "http://127.0.0.1.evil.example/callback"},
        {"redirect_uri": "http://localhost:7777/callback"},
        {"redirect_uri": "http://127.0.0.1:7777/callback#x"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "HTTP://127.0.0.1:7777/callback"},
    ],
)
async def test_what_is_no_address_of_the_client_is_never_gone_to(
    world: World, changes: dict[str, str]
) -> None:
    _, anybody = world
    client = await registered(anybody)

    answer = await anybody.get("/oauth/authorize", params=asking(client) | changes)

    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.requirement("authorization:wrong-requests")
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"scope": "unheard-of"}, "invalid_scope"),
        ({"resource": "https://elsewhere.example/mcp"}, "invalid_target"),
        ({"prompt": "none"}, "interaction_required"),
        ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
        ({"request_uri": "https://evil.example/request"}, "request_not_supported"),
    ],
)
async def test_every_other_fault_is_told_to_the_client_with_its_state_and_the_issuer(
    world: World, changes: dict[str, str], error: str
) -> None:
    gateway, anybody = world
    client = await registered(anybody)

    answer = await anybody.get("/oauth/authorize", params=asking(client) | changes)

    said = parse_qs(urlsplit(answer.headers["location"]).query)
    assert answer.headers["location"].startswith("http://127.0.0.1:7777/callback?")
    assert (said["error"], said["state"], said["iss"]) == ([error], ["s-1"], [gateway.url])


@pytest.mark.requirement("attack:e47")
async def test_another_port_of_the_loopback_is_the_clients_and_another_path_is_not(
    world: World,
) -> None:
    """Programs listen where they can (RFC 8252, section 7.3)."""
    gateway, anybody = world
    client = await registered(anybody)
    async with browser_of(gateway, "alice") as browser:
        elsewhere = {"redirect_uri": "http://127.0.0.1:45678/callback"}
        page = await begun(browser, client, **elsewhere)
        form = {"token": token_in((await browser.get(page)).text)}
        back = (await sent(browser, page, form)).headers["location"]

    assert back.startswith("http://127.0.0.1:45678/callback?")
    wrong = await anybody.post("/oauth/token", data=redeeming(client, back))
    assert wrong.json()["error"] == "invalid_grant"


@pytest.mark.requirement("attack:e48")
@pytest.mark.parametrize(
    ("name", "value"),
    [("host", "evil.example"), ("host", "127.0.0.1.evil.example")],
)
@pytest.mark.parametrize("path", ["/oauth/authorize", "/.well-known/oauth-authorization-server"])
async def test_a_host_of_somebody_elses_changes_no_issuer(
    world: World, name: str, value: str, path: str
) -> None:
    _, anybody = world

    answer = await anybody.get(path, headers={name: value})

    assert answer.status_code >= 400
    assert "evil.example" not in answer.text
