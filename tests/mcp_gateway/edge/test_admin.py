"""An administrative act is a call: authenticated, bounded, refused in words."""

import json
import logging
from typing import Any

import pytest
from starlette.applications import Starlette

from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import (
    REFUSALS,
    ConsentRequired,
    Forbidden,
    InsufficientScope,
    MissingCapability,
    Overloaded,
    Refusal,
    Throttled,
)
from mcp_gateway.edge.admin import LARGEST, AdminEdge
from mcp_gateway.edge.bearer import BearerAuthenticator
from mcp_gateway.edge.origins import Origins
from mcp_gateway.services.operations import OPERATIONS
from tests.support.asgi import Answered, Exchange
from tests.support.calls import ALICE
from tests.support.edge import HOST, JSON, KEYS, NOBODYS, PUBLIC, bearer, current
from tests.support.tokens import EXPECTED, verifying

USUAL = (HOST, JSON, bearer(KEYS[ALICE]))


class Admin:
    """The admin edge before a chain that answers, or raises `refusal`."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.refusal: BaseException | None = None
        keys = current()
        authenticator = BearerAuthenticator(keys, PUBLIC, verifying(EXPECTED))
        origins = Origins(PUBLIC, "127.0.0.1:8080", [], [])
        edge = AdminEdge(keys, authenticator, self._answer, origins, "ops@example.com")
        self.app = Starlette(routes=edge.routes())

    async def _answer(self, call: Call) -> Result:
        self.calls.append(call)
        if self.refusal:
            raise self.refusal
        return Body(b'{"value":{"done":true}}')

    async def ask(
        self,
        body: Any = b"",
        *,
        method: str = "POST",
        path: str = "/admin/keys/revoke",
        headers: Any = USUAL,
    ) -> Answered:
        raw = body if isinstance(body, bytes | list) else json.dumps(body).encode()
        exchange = Exchange(raw, method=method, path=path, headers=headers)
        return await exchange.run(self.app)


@pytest.mark.requirement("admin:acts-are-calls")
@pytest.mark.parametrize("name", sorted(OPERATIONS))
async def test_every_operation_is_a_call_of_the_principal_with_its_arguments(name: str) -> None:
    admin = Admin()
    method, _, path = OPERATIONS[name].route.partition(" ")

    answered = await admin.ask({"id": "k-1"}, method=method, path=f"/admin{path}")

    assert (answered.status, answered.json()) == (200, {"done": True})
    (call,) = admin.calls
    assert (call.method, call.principal) == ("operations/call", ALICE)
    assert call.params.view() == {"name": name, "arguments": {"id": "k-1"}}


async def test_without_a_body_there_are_no_arguments() -> None:
    admin = Admin()

    await admin.ask(method="GET", path="/admin/keys", headers=(HOST, bearer(KEYS[ALICE])))

    assert admin.calls[0].params.view() == {"name": "keys.list", "arguments": {}}


@pytest.mark.requirement("admin:authenticated")
@pytest.mark.parametrize("given", [(), (bearer(b"wrong"),), (bearer(b"mcpgw_x_y"),)])
async def test_without_a_known_credential_nothing_is_called(given: Any) -> None:
    admin = Admin()

    answered = await admin.ask({"id": "k"}, headers=(HOST, JSON, *given))

    assert (answered.status, admin.calls) == (401, [])
    assert answered.header(b"www-authenticate").startswith(
        b'Bearer resource_metadata="http://127.0.0.1:8080/.well-known/oauth-protected-resource/mcp"'
    )
    assert set(answered.json()) == {"error"}


@pytest.mark.requirement("admin:authenticated")
async def test_another_tenant_is_not_served() -> None:
    admin = Admin()

    answered = await admin.ask({}, headers=(HOST, JSON, bearer(KEYS[NOBODYS])))

    assert (answered.status, admin.calls) == (403, [])


@pytest.mark.requirement("edge:host-is-checked")
@pytest.mark.requirement("edge:origin-is-checked")
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((JSON,), 421),
        (((b"host", b"evil.example"), JSON), 421),
        ((HOST, HOST, JSON), 400),
        ((HOST, JSON, (b"origin", b"https://evil.example")), 403),
        ((HOST, JSON, (b"origin", b"null")), 403),
    ],
)
async def test_a_page_of_others_calls_nothing(headers: Any, status: int) -> None:
    admin = Admin()

    answered = await admin.ask({}, headers=(*headers, bearer(KEYS[ALICE])))

    assert (answered.status, admin.calls) == (status, [])


@pytest.mark.requirement("admin:bodies-are-strict")
@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"5",
        b'"text"',
        b"{",
        b"{}{}",
        b"{}}",
        b'{},"method":"tools/call"',
        b'{"id":"a"},"extra":{"b":1}',
        b'{"id":"a","id":"b"}',
        b'{"id":"a","\\u0069d":"b"}',
        b'{"a":{"b":1,"b":2}}',
        b"\xff\xfe",
        b'{"a":"\xff"}',
        b"[" * 20_000,
        b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
        b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b"\x00",
    ],
)
async def test_what_is_no_json_object_with_distinct_names_is_refused(body: bytes) -> None:
    admin = Admin()

    answered = await admin.ask(body)

    assert (answered.status, admin.calls) == (400, [])
    assert "no JSON object" in answered.json()["error"]


@pytest.mark.requirement("admin:bodies-are-strict")
@pytest.mark.parametrize(
    "media", [b"text/plain", b"application/x-www-form-urlencoded", b"", b"application/jsonx"]
)
async def test_a_body_is_json_by_its_type(media: bytes) -> None:
    admin = Admin()
    headers = (HOST, bearer(KEYS[ALICE]), (b"content-type", media))

    answered = await admin.ask({"id": "k"}, headers=headers)

    assert (answered.status, admin.calls) == (415, [])


@pytest.mark.requirement("edge:bodies-are-bounded")
async def test_a_large_body_is_refused_before_it_is_read_to_its_end() -> None:
    admin = Admin()

    answered = await admin.ask([b"x" * 40_000] * (LARGEST // 40_000 + 100))

    assert (answered.status, admin.calls) == (413, [])


async def test_a_body_that_stops_half_way_is_no_body() -> None:
    admin = Admin()
    exchange = Exchange([b'{"id":'], path="/admin/keys/revoke", headers=USUAL)
    exchange.hang_up.set()
    received = exchange.receive

    async def half() -> dict[str, Any]:
        return {**await received(), "more_body": True}

    exchange.receive = half  # type: ignore[method-assign]
    answered = await exchange.run(admin.app)

    assert (answered.status, admin.calls) == (400, [])


@pytest.mark.requirement("admin:refusals")
@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in REFUSALS
        if kind not in (InsufficientScope, MissingCapability, ConsentRequired)
    ],
)
async def test_a_refusal_has_its_status_and_its_words(kind: type[Refusal]) -> None:
    admin = Admin()
    admin.refusal = kind("it is so")

    answered = await admin.ask({"id": "k"})

    assert answered.status == kind.admin_status
    said = answered.json()
    assert said["call"] == admin.calls[0].id
    assert "it is so" in said["error"]
    assert answered.all(b"www-authenticate") == []


@pytest.mark.requirement("admin:refusals")
async def test_a_missing_scope_is_a_challenge() -> None:
    admin = Admin()
    admin.refusal = InsufficientScope({"admin"}, {"admin", "keys"})

    answered = await admin.ask({"id": "k"})

    assert answered.status == 403
    challenge = answered.header(b"www-authenticate").decode()
    assert challenge.endswith('error="insufficient_scope", scope="admin keys"')
    assert "/.well-known/oauth-protected-resource/mcp" in challenge


@pytest.mark.requirement("admin:refusals")
@pytest.mark.parametrize("kind", [Throttled, Overloaded])
async def test_what_passes_says_when(kind: type[Refusal]) -> None:
    admin = Admin()
    admin.refusal = kind("busy", retry_after=1.5)

    answered = await admin.ask({"id": "k"})

    assert (answered.status, answered.header(b"retry-after")) == (kind.admin_status, b"2")


@pytest.mark.requirement("admin:refusals")
async def test_a_fault_of_the_gateways_own_names_the_call_and_nothing_inside(
    caplog: pytest.LogCaptureFixture,
) -> None:
    admin = Admin()
    admin.refusal = RuntimeError("secret inside")

    with caplog.at_level(logging.ERROR):
        answered = await admin.ask({"id": "k"})

    assert answered.status == 500
    assert answered.json()["call"] == admin.calls[0].id
    assert "secret" not in answered.body.decode()
    assert admin.calls[0].id in caplog.text


async def test_words_that_hold_quotes_stay_one_text() -> None:
    admin = Admin()
    admin.refusal = Forbidden('a "quoted" reason\r\nX: y', rule='ru"le')

    answered = await admin.ask({"id": "k"})

    assert 'a "quoted" reason' in answered.json()["error"]


@pytest.mark.parametrize("path", ["/admin", "/admin/", "/admin/keys/", "/admin/nothing"])
async def test_there_are_no_other_operations(path: str) -> None:
    admin = Admin()
    admin.app.router.redirect_slashes = False

    assert (await admin.ask({}, path=path)).status == 404
    assert admin.calls == []
