"""A log-in outlives a restart in its middle, and two gateways on one store complete it together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from tests.scenarios.test_authorization import (
    answered,
    asking,
    redeeming,
    refreshed,
    registered,
    status_with,
)
from tests.support.connected import browser_of, token_in
from tests.support.gateway import BOUND, GatewayUnderTest, gateway_under_test

PUBLIC = "http://127.0.0.1:1"
"""What both call themselves, wherever they listen."""
CONFIG = f"""
url = "{PUBLIC}"
hosts = ["127.0.0.1"]

[authorization]
enabled = true
"""
SHARED = ("gateway.db", "state.key", "vault.key")


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[GatewayUnderTest, httpx2.AsyncClient]]:
    async with (
        gateway_under_test(folder, CONFIG) as gateway,
        httpx2.AsyncClient(base_url=gateway.url, timeout=BOUND) as client,
    ):
        yield gateway, client


def beside(first: Path, second: Path) -> Path:
    """The folder of another gateway with the same store and the same secrets."""
    (second / "var").mkdir(mode=0o700, parents=True)
    for name in SHARED:
        (second / "var" / name).symlink_to(first / "var" / name)
    return second


def local(address: str) -> str:
    """The path of an address that names the gateway."""
    return address.removeprefix(PUBLIC)


@pytest.mark.requirement("authorization:survives-a-restart")
async def test_every_step_of_a_log_in_may_be_answered_by_a_gateway_started_anew(
    tmp_path: Path,
) -> None:
    cookies = httpx2.Cookies()
    async with opened(tmp_path) as (gateway, client):
        name = await registered(client)
        async with browser_of(gateway, "alice") as browser:
            begun = await browser.get("/oauth/authorize", params=asking(name))
            cookies.update(browser.cookies)
        page = local(begun.headers["location"])
    async with opened(tmp_path) as (_, browser):
        browser.cookies.update(cookies)
        shown = await browser.get(page)
        form = {"token": token_in(shown.text), "answer": "yes"}
        back = (await browser.post(page, data=form)).headers["location"]
    async with opened(tmp_path) as (gateway, client):
        held = (await client.post("/oauth/token", data=redeeming(name, back))).json()
    async with opened(tmp_path) as (gateway, client):
        assert await status_with(client, held["access_token"]) == 200
        assert (await refreshed(client, name, held["refresh_token"])).status_code == 200
        again = await client.post("/oauth/token", data=redeeming(name, back))
        assert again.json()["error"] == "invalid_grant"


@pytest.mark.requirement("authorization:two-on-one-store")
async def test_two_gateways_on_one_store_complete_a_log_in_and_end_it_together(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path / "one") as (first, one):
        second_folder = beside(tmp_path / "one", tmp_path / "two")
        async with opened(second_folder) as (second, two):
            second.keys = first.keys
            name = await registered(one)
            back = await answered(second, name)
            held = (await one.post("/oauth/token", data=redeeming(name, back))).json()
            assert await status_with(two, held["access_token"]) == 200
            renewed = (await refreshed(two, name, held["refresh_token"])).json()
            assert await status_with(one, renewed["access_token"]) == 200

            form = {"client_id": name, "token": renewed["refresh_token"]}
            await two.post("/oauth/revoke", data=form)

            assert (await refreshed(one, name, held["refresh_token"])).status_code == 400
            await first.parts.keyring.refresh()
            assert await status_with(one, renewed["access_token"]) == 401
