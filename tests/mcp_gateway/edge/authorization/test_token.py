"""The token endpoint over HTTP."""

import httpx2
import pytest


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, 400, "invalid_request"),
        ({"grant_type": "authorization_code", "client_id": "unknown"}, 401, "invalid_client"),
    ],
)
async def test_what_is_asked_wrongly_is_refused_in_the_words_of_oauth(
    anybody: httpx2.AsyncClient, form: dict[str, str], status: int, error: str
) -> None:
    answer = await anybody.post("/oauth/token", data=form)

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert ("www-authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_it_is_asked_by_post_alone(anybody: httpx2.AsyncClient, method: str) -> None:
    assert (await anybody.request(method, "/oauth/token")).status_code == 405
