"""Codes and refresh tokens that somebody else would have for themselves."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest

from tests.scenarios.test_authorization import (
    CONFIG,
    VERIFIER,
    answered,
    asking,
    redeeming,
    refreshed,
    registered,
    status_with,
    tokens_of,
)
from tests.support.gateway import BOUND, GatewayUnderTest, gateway_under_test
from tests.support.runtime_oauth import REDIRECT

World = tuple[GatewayUnderTest, httpx2.AsyncClient]
WARDEN = ("warden", "the-secret-of-the-warden")
MORE = """
[authorization.clients.warden]
secret = { env = "WARDEN_SECRET" }
scopes = ["mcp"]
"""


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder: Path = tmp_path_factory.mktemp("tokens")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("WARDEN_SECRET", WARDEN[1])
        async with (
            gateway_under_test(folder, CONFIG + MORE) as gateway,
            httpx2.AsyncClient(base_url=gateway.url, timeout=BOUND) as anybody,
        ):
            yield gateway, anybody


async def redeemed(anybody: httpx2.AsyncClient, form: dict[str, str]) -> tuple[int, Any]:
    answer = await anybody.post("/oauth/token", data=form)
    return answer.status_code, answer.json()


def error_of(answer: tuple[int, Any]) -> tuple[int, str]:
    assert "access_token" not in answer[1]
    return answer[0], answer[1]["error"]


async def introspected(anybody: httpx2.AsyncClient, token: str) -> Any:
    asked = await anybody.post("/oauth/introspect", data={"token": token}, auth=WARDEN)
    assert asked.status_code == 200, asked.text
    return asked.json()


@pytest.mark.requirement("attack:d26")
@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": ""},
        {"code_challenge_method": ""},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": "plain", "code_challenge": VERIFIER},
        {"code_challenge": "short"},
    ],
)
async def test_nobody_is_asked_for_a_consent_without_a_challenge_of_s256(
    world: World, changes: dict[str, str]
) -> None:
    _, anybody = world
    client = await registered(anybody)

    answer = await anybody.get("/oauth/authorize", params=asking(client, **changes))

    back = answer.headers["location"]
    assert back.startswith(REDIRECT)
    assert parse_qs(urlsplit(back).query)["error"] == ["invalid_request"]


@pytest.mark.requirement("attack:d26")
@pytest.mark.requirement("attack:d24")
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": ""}, "invalid_request"),
        ({"code_verifier": VERIFIER[:42]}, "invalid_grant"),
        ({"code_verifier": "x" * 43}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:7777/other"}, "invalid_grant"),
        ({"resource": "http://127.0.0.1:1/mcp"}, "invalid_target"),
    ],
)
async def test_a_code_is_worth_nothing_to_who_does_not_know_what_its_client_knows(
    world: World, changes: dict[str, str], error: str
) -> None:
    gateway, anybody = world
    client = await registered(anybody)
    back = await answered(gateway, client)

    wrong = await redeemed(anybody, redeeming(client, back, **changes))
    right = await redeemed(anybody, redeeming(client, back))

    assert error_of(wrong) == (400, error)
    assert error_of(right) == (400, "invalid_grant")


@pytest.mark.requirement("attack:d24")
async def test_a_code_that_another_client_shows_is_worth_nothing_to_either(world: World) -> None:
    gateway, anybody = world
    client, thief = await registered(anybody), await registered(anybody)
    back = await answered(gateway, client)

    stolen = await redeemed(anybody, redeeming(thief, back))
    late = await redeemed(anybody, redeeming(client, back))

    assert [error_of(stolen), error_of(late)] == [(400, "invalid_grant")] * 2


@pytest.mark.requirement("attack:d20")
async def test_a_code_that_comes_again_ends_the_tokens_that_came_of_it(world: World) -> None:
    gateway, anybody = world
    client = await registered(anybody)
    back = await answered(gateway, client)
    status, held = await redeemed(anybody, redeeming(client, back))
    assert (status, await status_with(anybody, held["access_token"])) == (200, 200)

    again = await redeemed(anybody, redeeming(client, back))

    assert error_of(again) == (400, "invalid_grant")
    assert await status_with(anybody, held["access_token"]) == 401
    assert (await refreshed(anybody, client, held["refresh_token"])).status_code == 400
    assert await introspected(anybody, held["access_token"]) == {"active": False}


@pytest.mark.requirement("attack:d20")
async def test_of_codes_that_come_many_times_at_once_nothing_is_left(world: World) -> None:
    gateway, anybody = world
    client = await registered(anybody)
    form = redeeming(client, await answered(gateway, client))

    answers = await asyncio.gather(*(redeemed(anybody, form) for _ in range(8)))

    won = [said for status, said in answers if status == 200]
    assert len(won) <= 1
    for held in won:
        assert await status_with(anybody, held["access_token"]) == 401
        assert (await refreshed(anybody, client, held["refresh_token"])).status_code == 400


@pytest.mark.requirement("attack:d23")
async def test_a_refresh_token_is_of_no_use_to_another_client_and_stays_its_owners(
    world: World,
) -> None:
    gateway, anybody = world
    client, held = await tokens_of(gateway, anybody)
    thief = await registered(anybody)
    form = {"grant_type": "refresh_token", "client_id": thief, "scope": "admin"}

    stolen = await redeemed(anybody, form | {"refresh_token": held["refresh_token"]})
    guessed = await redeemed(anybody, form | {"refresh_token": "guessed"})
    back = await anybody.post(
        "/oauth/revoke", data={"client_id": thief, "token": held["refresh_token"]}
    )

    assert stolen == guessed
    assert error_of(stolen) == (400, "invalid_grant")
    assert (back.status_code, back.json()) == (200, {})
    assert (await refreshed(anybody, client, held["refresh_token"])).status_code == 200


@pytest.mark.requirement("attack:d22")
async def test_many_refreshes_at_once_are_served_and_one_that_comes_later_ends_them_all(
    world: World,
) -> None:
    gateway, anybody = world
    client, held = await tokens_of(gateway, anybody)

    answers = await asyncio.gather(
        *(refreshed(anybody, client, held["refresh_token"]) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} == {200}
    with gateway.parts.database.quietly() as session:
        session.connection().exec_driver_sql(
            "UPDATE refreshes SET used = ? WHERE used > 0", (time.time() - 60,)
        )
    late = await refreshed(anybody, client, held["refresh_token"])

    assert late.status_code == 400
    for answer in answers:
        said = answer.json()
        assert await status_with(anybody, said["access_token"]) == 401
        assert (await refreshed(anybody, client, said["refresh_token"])).status_code == 400


@pytest.mark.requirement("attack:d25")
@pytest.mark.parametrize("name", ["client_id", "code", "redirect_uri", "scope"])
async def test_a_parameter_that_stands_twice_is_refused_everywhere(world: World, name: str) -> None:
    _, anybody = world
    client = await registered(anybody)
    asked = [*asking(client).items(), (name, "https://evil.example/")]
    form = [*redeeming(client, "https://x/?code=x", scope="mcp").items(), (name, "evil")]
    kind = {"content-type": "application/x-www-form-urlencoded"}

    twice = name if name in asking(client) else "state"
    shown = await anybody.get(f"/oauth/authorize?{urlencode([*asked, (twice, 'other')])}")
    token = await anybody.post("/oauth/token", content=urlencode(form), headers=kind)
    lookup = await anybody.post(
        "/oauth/introspect", content="token=a&token=b", headers=kind, auth=WARDEN
    )

    assert shown.status_code == 400
    assert "location" not in shown.headers
    assert [(one.status_code, one.json()["error"]) for one in (token, lookup)] == [
        (400, "invalid_request")
    ] * 2


@pytest.mark.requirement("attack:d29")
async def test_strangers_learn_nothing_of_a_token_and_who_may_ask_learns_what_it_is(
    world: World,
) -> None:
    gateway, anybody = world
    client, held = await tokens_of(gateway, anybody)
    form = {"token": held["access_token"]}

    guessed = await anybody.post("/oauth/introspect", data=form, auth=("warden", "guessed"))
    bare = await anybody.post("/oauth/introspect", data=form)
    own = await anybody.post("/oauth/introspect", data=form | {"client_id": client})
    said = await introspected(anybody, held["access_token"])

    assert [answer.status_code for answer in (guessed, own)] == [401, 401]
    assert bare.status_code == 400
    assert not any("active" in answer.json() for answer in (guessed, bare, own))
    assert (said["active"], said["sub"], said["client_id"]) == (True, "local|alice", client)


@pytest.mark.requirement("attack:d27")
async def test_a_family_that_an_administrator_ends_is_neither_good_nor_renewed(
    world: World,
) -> None:
    gateway, anybody = world
    client, held = await tokens_of(gateway, anybody)
    minted = [line for line in gateway.entries() if line["kind"] == "token.minted"][-1]

    async with gateway.http("admin") as admin:
        answer = await admin.post("/admin/tokens/revoke", json={"family": minted["family"]})
        assert answer.status_code == 200, answer.text

    assert await status_with(anybody, held["access_token"]) == 401
    refused = await refreshed(anybody, client, held["refresh_token"])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert await introspected(anybody, held["access_token"]) == {"active": False}
