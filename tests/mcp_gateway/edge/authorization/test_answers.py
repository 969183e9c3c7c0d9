"""Forms are read in one way, and refusals are OAuth's, kept by nobody."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette

from mcp_gateway.config import AuthorizationSection
from mcp_gateway.edge.authorization.answers import LARGEST, Answers
from mcp_gateway.edge.authorization.register import Register
from mcp_gateway.edge.failures import Failures
from mcp_gateway.edge.origins import Origins
from mcp_gateway.store.database import Database
from mcp_gateway.wire.http import HttpClient, Network
from tests.support.strangers import Meeting

PUBLIC = "http://127.0.0.1:8080"
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("content", "media", "status"),
    [
        (b"{}", "application/json", 400),
        (b"grant_type=refresh_token&grant_type=refresh_token", FORM, 400),
        (b"grant_type=" + b"x" * LARGEST, FORM, 413),
        (b"grant_type=\xff", FORM, 400),
        (b"grant_type=a%0d%0ab", FORM, 400),
        (b"grant_type", FORM, 400),
        (b"", FORM, 400),
        (b"&".join(b"a%d=1" % n for n in range(50)), FORM, 400),
    ],
)
async def test_what_is_no_small_form_is_told_so_in_oauths_words(
    anybody: httpx2.AsyncClient, content: bytes, media: str, status: int
) -> None:
    answer = await anybody.post("/oauth/token", content=content, headers={"content-type": media})

    assert answer.status_code == status
    assert answer.json()["error"] == "invalid_request"
    assert answer.headers["cache-control"] == "no-store"


async def test_parameters_stand_in_the_body_and_not_in_the_address(
    anybody: httpx2.AsyncClient,
) -> None:
    answer = await anybody.post("/oauth/token?grant_type=x", data={"grant_type": "x"})

    assert answer.json() == {
        "error": "invalid_request",
        "error_description": "parameters stand in the body, not in the address",
    }


async def test_another_host_is_not_answered(anybody: httpx2.AsyncClient) -> None:
    answer = await anybody.post(
        "/oauth/token", data={"grant_type": "x"}, headers={"host": "evil.example"}
    )

    assert answer.status_code >= 400
    assert "access_token" not in answer.text


async def test_pages_of_other_origins_may_ask_for_tokens_and_see_no_cookie(
    anybody: httpx2.AsyncClient,
) -> None:
    before = await anybody.options("/oauth/token", headers={"origin": "https://app.example"})
    answer = await anybody.post("/oauth/token", data={"grant_type": "x"})

    assert before.status_code == 204
    assert "access-control-allow-credentials" not in before.headers
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "set-cookie" not in answer.headers


@pytest.fixture
async def unrecorded(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """Before a registration whose ledger cannot be written."""
    strangers = HttpClient(Network())
    meeting = Meeting(Database.open(tmp_path / "gateway.db"), strangers)
    meeting.ledger.broken.add("client.registered")
    section = AuthorizationSection(enabled=True)
    answers = Answers(Origins(PUBLIC, "127.0.0.1:8080", [], []), Failures())
    register = Register(answers, meeting.clients, lambda: section)
    transport = httpx2.ASGITransport(Starlette(routes=list(register.routes())))
    async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC) as client:
        yield client
    await strangers.aclose()


async def test_what_cannot_be_recorded_is_to_be_asked_for_later(
    unrecorded: httpx2.AsyncClient,
) -> None:
    said = {"redirect_uris": ["http://127.0.0.1:7777/callback"]}

    answer = await unrecorded.post("/oauth/register", json=said)

    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["retry-after"]
