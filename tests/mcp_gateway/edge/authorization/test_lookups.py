"""The endpoints for tokens that somebody shows, over HTTP, with a program that may ask."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.support.gateway import BOUND, GatewayUnderTest, gateway_under_test

CONFIG = """
[authorization]
enabled = true

[authorization.clients.warden]
secret = { env = "WARDEN_SECRET" }
scopes = ["mcp"]
"""
WARDEN = ("warden", "the-secret-of-the-warden")


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayUnderTest]:
    folder: Path = tmp_path_factory.mktemp("lookups")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("WARDEN_SECRET", WARDEN[1])
        async with gateway_under_test(folder, CONFIG) as running:
            yield running


@pytest.fixture
async def warden(gateway: GatewayUnderTest) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=gateway.url, timeout=BOUND, auth=WARDEN) as client:
        yield client


async def own(warden: httpx2.AsyncClient) -> str:
    """A token of the program itself."""
    answer = await warden.post("/oauth/token", data={"grant_type": "client_credentials"})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


@pytest.mark.requirement("authorization:introspected")
async def test_a_program_learns_what_a_token_is_until_it_gives_it_back(
    warden: httpx2.AsyncClient,
) -> None:
    token = await own(warden)

    before = await warden.post("/oauth/introspect", data={"token": token})
    back = await warden.post("/oauth/revoke", data={"token": token, "token_type_hint": "x"})
    after = await warden.post("/oauth/introspect", data={"token": token})

    assert before.json()["active"]
    assert before.json()["sub"] == "client|warden"
    assert (back.status_code, back.json()) == (200, {})
    assert after.json() == {"active": False}
    for answer in (before, back, after):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/oauth/revoke", "/oauth/introspect"])
async def test_both_take_forms_alone_and_say_in_oauths_words_what_is_wrong(
    warden: httpx2.AsyncClient, path: str
) -> None:
    token = await own(warden)

    answers = [
        await warden.post(path, json={"token": token}),
        await warden.post(path, params={"token": token}),
        await warden.post(path, data={"token": token}, params={"token": token}),
        await warden.post(path, data={}),
    ]

    said = [(answer.status_code, answer.json()["error"]) for answer in answers]
    assert said == [(400, "invalid_request")] * 4
    assert not any(token in answer.text for answer in answers)
    assert (await warden.post("/oauth/introspect", data={"token": token})).json()["active"]


@pytest.mark.requirement("attack:d29")
async def test_who_asks_by_get_or_shows_no_secret_is_not_heard(
    gateway: GatewayUnderTest, warden: httpx2.AsyncClient
) -> None:
    token = await own(warden)
    async with httpx2.AsyncClient(base_url=gateway.url, timeout=BOUND) as stranger:
        form = {"token": token, "client_id": "warden"}
        answers = [
            await stranger.post(f"/oauth/{name}", data=form) for name in ("introspect", "revoke")
        ]
        bare = await stranger.get("/oauth/introspect", params=form)
        preflight = await stranger.options("/oauth/revoke")

    for answer in answers:
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic")
    assert bare.status_code == 405
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert (await warden.post("/oauth/introspect", data={"token": token})).json()["active"]
