"""Attacks on connecting an upstream, at the gateway's own pages and a real provider's."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlmodel import select

from mcp_gateway.store.rows import FlowRow
from tests.support.connected import browser_of, opened
from tests.support.consented import World, consenting, leaving, link_of

BACK = "/connect/callback"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with consenting(tmp_path) as made:
        made[0].key("bob", "user")
        await made[0].parts.keyring.refresh()
        yield made


def refusals(world: World) -> list[str]:
    found = [line for line in world[0].entries() if line["kind"] == "connect.refused"]
    return [line["reason"] for line in found]


@pytest.mark.requirement("attack:f1")
async def test_a_link_that_is_sent_to_another_person_connects_neither(world: World) -> None:
    gateway, _, provider = world
    link = await link_of(gateway)

    shown = await opened(gateway, link, "bob")
    sent = await opened(gateway, link, "bob", key="anything")

    assert (shown.status_code, sent.status_code) == (403, 403)
    assert "alice" not in shown.text + sent.text
    assert refusals(world) == ["another person opened the link"] * 3
    assert gateway.parts.current.keyring.grants == {}
    assert provider.granted("authorization_code") == 0


@pytest.mark.requirement("attack:f4")
async def test_who_only_fetches_a_link_begins_no_consent(world: World) -> None:
    gateway, _, _ = world
    link = await link_of(gateway)
    async with browser_of(gateway, "alice") as browser:
        fetched = [await browser.request(verb, link) for verb in ("GET", "HEAD", "GET")]
    with gateway.parts.database.reading() as rows:
        begun = rows.exec(select(FlowRow)).all()

    assert [answer.status_code for answer in fetched] == [200, 200, 200]
    assert begun == []
    assert "connect.started" not in [line["kind"] for line in gateway.entries()]


@pytest.mark.requirement("attack:f9")
@pytest.mark.parametrize("victim", ["bob", "alice"])
async def test_a_code_is_injected_into_no_other_browser(world: World, victim: str) -> None:
    """The attacker consents as themselves, and has a victim's browser bring the answer back."""
    gateway, _, provider = world
    link = await link_of(gateway)
    async with browser_of(gateway, "alice") as browser:
        back = await provider.agreed(await leaving(browser, link), "ada")
    async with browser_of(gateway, victim) as other:
        await other.get(link)
        injected = await other.get(BACK, params=back)

    assert injected.status_code in (403, 404)
    assert gateway.parts.current.keyring.grants == {}
    assert provider.granted("authorization_code") == 0


@pytest.mark.requirement("attack:f2")
@pytest.mark.requirement("attack:c9")
async def test_an_answer_that_comes_back_again_connects_nothing_more(world: World) -> None:
    gateway, _, provider = world
    link = await link_of(gateway)
    async with browser_of(gateway, "alice") as browser:
        back = await provider.agreed(await leaving(browser, link), "ada")
        first = await browser.get(BACK, params=back)
        grants = dict(gateway.parts.current.keyring.grants)
        again = await browser.get(BACK, params=back)
        over = await browser.get(link)

    assert (first.status_code, again.status_code, over.status_code) == (200, 404, 404)
    assert gateway.parts.current.keyring.grants == grants
    assert provider.granted("authorization_code") == 1


@pytest.mark.requirement("attack:c1")
@pytest.mark.parametrize("named", ["https://as.attacker.example", "", "@/"])
async def test_an_answer_that_names_another_server_has_no_code_redeemed(
    world: World, named: str
) -> None:
    gateway, _, provider = world
    link = await link_of(gateway)
    async with browser_of(gateway, "alice") as browser:
        back = await provider.agreed(await leaving(browser, link), "ada")
        back["iss"] = named.replace("@", provider.url)
        mixed = await browser.get(BACK, params=back)

    assert mixed.status_code == 400
    assert gateway.parts.current.keyring.grants == {}
    assert provider.granted("authorization_code") == 0


@pytest.mark.requirement("attack:f10")
@pytest.mark.parametrize("twice", ["state", "code", "iss"])
async def test_an_answer_with_a_parameter_twice_is_read_in_no_way(world: World, twice: str) -> None:
    gateway, _, provider = world
    link = await link_of(gateway)
    async with browser_of(gateway, "alice") as browser:
        back = await provider.agreed(await leaving(browser, link), "ada")
        doubled = urlencode([*back.items(), (twice, back[twice])])
        answer = await browser.get(f"{BACK}?{doubled}")

    assert answer.status_code == 400
    assert gateway.parts.current.keyring.grants == {}
    assert provider.granted("authorization_code") == 0
