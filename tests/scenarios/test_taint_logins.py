"""What people and programs show to be let in, and what they get, is in nothing that is written."""

import gc
import logging
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc.jwk import ECKey

from mcp_gateway.services.passwords import hashed
from tests.scenarios.test_authorization import asking, redeeming, refreshed, registered
from tests.scenarios.test_taint import OURS
from tests.support.connected import token_in
from tests.support.gateway import BOUND, GatewayUnderTest, gateway_under_test
from tests.support.runtime_oauth import agreed

PASSWORD: Final = "marked-password-of-ada"
PROGRAM: Final = "marked-secret-of-a-program"
CONFIG: Final = """
[authorization]
enabled = true
registration_each = "6000/minute"

[authorization.clients.ci]
secret = { env = "CI_SECRET" }
scopes = ["mcp"]
"""


async def _logged_in(gateway: GatewayUnderTest, browser: httpx2.AsyncClient) -> set[str]:
    """Ada, by her password, after she mistook it once; alice's key is tried too."""
    added = {"name": "ada", "password": hashed(PASSWORD), "roles": ["user"]}
    async with gateway.http("admin") as admin:
        answer = await admin.post("/admin/people", json=added)
        assert answer.status_code == 200, answer.text
    form = await browser.get("/oauth/login")
    for shown in (
        {"name": "ada", "password": f"{PASSWORD}-mistyped"},
        {"key": f"{gateway.keys['alice']}x"},
        {"name": "ada", "password": PASSWORD},
    ):
        answer = await browser.post("/oauth/login", data={"token": token_in(form.text), **shown})
    assert answer.status_code == 303, answer.text
    return {value for value in browser.cookies.values() if value}


async def _runtime(browser: httpx2.AsyncClient, anybody: httpx2.AsyncClient) -> set[str]:
    """A runtime with a secret of its own gets tokens, and shows them where they do not belong."""
    method = {"token_endpoint_auth_method": "client_secret_post"}
    said = {"redirect_uris": ["http://127.0.0.1:7777/callback"], **method}
    made = (await anybody.post("/oauth/register", json=said)).json()
    client, secret = made["client_id"], made["client_secret"]
    address = str(httpx2.URL("/oauth/authorize", params=asking(client)))
    back = await agreed(browser, address)
    held = await anybody.post("/oauth/token", data=redeeming(client, back, client_secret=secret))
    assert held.status_code == 200, held.text
    tokens = held.json()
    code = parse_qs(urlsplit(back).query)["code"][0]
    for wrong in (tokens["refresh_token"], code, secret, f"{tokens['access_token']}x"):
        headers = {"authorization": f"Bearer {wrong}"}
        await anybody.post("/mcp", headers=headers, json={})
        await refreshed(anybody, client, wrong)
        await anybody.post("/oauth/revoke", data={"client_id": client, "token": wrong})
        await anybody.get("/oauth/authorize", params={"client_id": wrong})
    await anybody.post("/oauth/token", data=redeeming(client, back, client_secret=secret))
    return {code, secret, tokens["refresh_token"], tokens["access_token"].rpartition(".")[2]}


async def _program(anybody: httpx2.AsyncClient) -> set[str]:
    form = {"grant_type": "client_credentials", "client_id": "ci"}
    for secret in (f"{PROGRAM}-mistyped", PROGRAM):
        answer = await anybody.post("/oauth/token", data={**form, "client_secret": secret})
    token = answer.json()["access_token"]
    return {PROGRAM, token.rpartition(".")[2]}


def _shown() -> str:
    """Every object of our own types, as it shows itself."""
    ours: list[Any] = [
        found for found in gc.get_objects() if str(type(found).__module__).partition(".")[0] in OURS
    ]
    return "\n".join(repr(found) for found in ours)


@pytest.mark.requirement("vault:no-secret-is-written")
async def test_no_secret_of_a_log_in_is_in_anything_that_is_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("CI_SECRET", PROGRAM)
    async with (
        gateway_under_test(tmp_path, CONFIG) as gateway,
        httpx2.AsyncClient(base_url=gateway.url, timeout=BOUND) as browser,
        httpx2.AsyncClient(base_url=gateway.url, timeout=BOUND) as anybody,
    ):
        assert await registered(anybody)
        marks = await _logged_in(gateway, browser)
        marks |= await _runtime(browser, anybody)
        marks |= await _program(anybody)
        shown, told = _shown(), [(await anybody.get(path)).text for path in ("/metrics", "/readyz")]
        private = [str(key.as_dict(private=True)["d"]) for key in _signing_keys()]

    logged = [r.getMessage() + str(r.exc_text) for r in caplog.records if r.name.startswith(OURS)]
    files = [path.read_bytes() for path in (tmp_path / "var").rglob("*") if path.is_file()]
    written = "\n".join([shown, *told, *logged]).encode() + b"".join(files)
    marks |= {PASSWORD, gateway.keys["alice"], *private}
    assert private
    assert len(marks) >= 11
    assert [mark for mark in marks if mark.encode() in written] == []


def _signing_keys() -> list[Any]:
    return [found for found in gc.get_objects() if isinstance(found, ECKey) and found.is_private]
