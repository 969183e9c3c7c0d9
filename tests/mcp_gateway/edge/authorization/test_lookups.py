"""Revocation and introspection over HTTP."""

import httpx2
import pytest

from tests.scenarios.test_authorization import registered


@pytest.mark.parametrize("token", ["unknown", "a.b.c"])
async def test_of_what_is_unknown_nobody_is_told_anything(
    anybody: httpx2.AsyncClient, token: str
) -> None:
    form = {"client_id": await registered(anybody), "token": token}

    answer = await anybody.post("/oauth/revoke", data=form)

    assert (answer.status_code, answer.json()) == (200, {})


async def test_a_token_is_named(anybody: httpx2.AsyncClient) -> None:
    form = {"client_id": await registered(anybody)}

    answer = await anybody.post("/oauth/revoke", data=form)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_who_registered_itself_may_not_ask_what_a_token_is(
    anybody: httpx2.AsyncClient,
) -> None:
    form = {"client_id": await registered(anybody), "token": "unknown"}

    answer = await anybody.post("/oauth/introspect", data=form)

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert "active" not in answer.text
