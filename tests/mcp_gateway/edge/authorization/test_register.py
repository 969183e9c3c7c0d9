"""Registration over HTTP: what it answers, and what of a body it takes."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

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

BASE = "https://gateway.example.com"
METADATA = {"client_name": "App", "redirect_uris": ["http://127.0.0.1/callback"]}


class Door:
    """The endpoint, and the section that is in force."""

    def __init__(self, meeting: Meeting) -> None:
        self.meeting = meeting
        self.section = AuthorizationSection(enabled=True)
        origins = Origins(BASE, "127.0.0.1:8080", [], [])
        register = Register(Answers(origins, Failures()), meeting.clients, lambda: self.section)
        transport = httpx2.ASGITransport(
            Starlette(routes=list(register.routes())), client=("192.0.2.1", 5)
        )
        self.http = httpx2.AsyncClient(transport=transport, base_url=BASE)

    async def post(self, content: Any, **headers: str) -> httpx2.Response:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        said = {"content-type": "application/json", **headers}
        return await self.http.post("/oauth/register", content=body, headers=said)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    database, strangers = Database.open(tmp_path / "gateway.db"), HttpClient(Network())
    made = Door(Meeting(database, strangers))
    yield made
    await made.http.aclose()
    await strangers.aclose()
    database.close()


@pytest.mark.requirement("clients:register")
async def test_a_client_that_registers_is_told_what_it_is(door: Door) -> None:
    answer = await door.post(METADATA)

    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.json()["redirect_uris"] == METADATA["redirect_uris"]
    assert door.meeting.kept.find(answer.json()["client_id"]) is not None


@pytest.mark.parametrize("type_", ["application/json; charset=utf-8", "Application/JSON"])
async def test_json_is_json_however_it_is_named(door: Door, type_: str) -> None:
    assert (await door.post(METADATA, **{"content-type": type_})).status_code == 201


@pytest.mark.requirement("attack:d2")
@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"", {}, 400, "invalid_client_metadata"),
        (b"{", {}, 400, "invalid_client_metadata"),
        (b"\xff", {}, 400, "invalid_client_metadata"),
        (b"[" * 5000, {}, 400, "invalid_client_metadata"),
        (b"null", {}, 400, "invalid_client_metadata"),
        ([METADATA], {}, 400, "invalid_client_metadata"),
        ({**METADATA, "token_endpoint_auth_method": ["none"]}, {}, 400, "invalid_client_metadata"),
        ({"redirect_uris": ["javascript:alert(1)"]}, {}, 400, "invalid_redirect_uri"),
        (METADATA, {"content-type": "text/plain"}, 400, "invalid_client_metadata"),
        (
            METADATA,
            {"content-type": "application/x-www-form-urlencoded"},
            400,
            "invalid_client_metadata",
        ),
        ({**METADATA, "pad": "x" * LARGEST}, {}, 413, "invalid_request"),
        (METADATA, {"host": "evil.example"}, 421, "invalid_request"),
    ],
)
async def test_what_cannot_be_taken_is_refused_and_makes_no_client(
    door: Door, content: Any, headers: dict[str, str], status: int, code: str
) -> None:
    answer = await door.post(content, **headers)

    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert door.meeting.kept.list() == []


@pytest.mark.requirement("attack:d2")
async def test_who_registers_too_often_is_told_to_wait(door: Door) -> None:
    door.section = AuthorizationSection(enabled=True, registration_each="2/minute")

    found = [await door.post(METADATA) for _ in range(3)]

    assert [answer.status_code for answer in found] == [201, 201, 429]
    assert found[-1].headers["retry-after"]


async def test_nobody_registers_where_that_is_off(door: Door) -> None:
    door.section = AuthorizationSection(enabled=True, registration=False)

    answer = await door.post(METADATA)

    assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")


async def test_nothing_is_registered_where_it_cannot_be_recorded(door: Door) -> None:
    door.meeting.ledger.broken.add("client.registered")

    answer = await door.post(METADATA)

    assert answer.status_code == 503
    assert door.meeting.kept.list() == []


async def test_a_browsers_question_before_a_form_is_answered(door: Door) -> None:
    answer = await door.http.options("/oauth/register")

    assert answer.status_code == 204
    assert answer.headers["access-control-allow-methods"] == "GET, POST"
