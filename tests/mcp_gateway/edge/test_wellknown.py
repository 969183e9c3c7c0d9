"""What anybody may ask: whether the gateway lives, and where to get a token for it."""

from collections.abc import Mapping
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from mcp_gateway.config import validated
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.wellknown import METADATA, WellKnown, in_json
from tests.support.asgi import Answered, exchanged
from tests.support.edge import HOST, PUBLIC
from tests.support.tokens import ISSUER


def _app(issuer: str = ISSUER, troubles: Mapping[str, str] | None = None, **more: Any) -> Starlette:
    origins = Origins(PUBLIC, "127.0.0.1:8080", [], [])
    identity = {"issuer": issuer, "audience": PUBLIC if issuer else "", **more}
    servers = {"orders": {"connector": "openapi", "requires": ["orders:read"]}}
    told = {"gateway": {"url": PUBLIC}, "identity": identity, "servers": servers}
    known = WellKnown(validated(told), origins, lambda: troubles or {}, lambda: b"calls_total 1\n")
    return Starlette(routes=known.routes(), exception_handlers={HTTPException: in_json})


async def _get(path: str, app: Starlette | None = None, **said: Any) -> Answered:
    said = {"method": "GET", "headers": [HOST], **said}
    return await exchanged(app or _app(), path=path, **said)


@pytest.mark.requirement("identity:metadata")
@pytest.mark.parametrize("path", ["/mcp", "/servers/time/mcp", "/servers/a-b_C9/mcp"])
async def test_the_metadata_of_an_endpoint_names_it_and_the_issuer(path: str) -> None:
    answered = await _get(METADATA + path)

    assert answered.status == 200
    assert answered.header(b"content-type") == b"application/json"
    assert answered.json() == {
        "resource": PUBLIC + path,
        "authorization_servers": [ISSUER],
        "bearer_methods_supported": ["header"],
        "resource_name": "MCP gateway",
    }


@pytest.mark.requirement("identity:metadata")
async def test_the_metadata_names_the_scopes_that_are_of_use_at_the_endpoint_and_no_more() -> None:
    app = _app(scopes=["mcp"])

    named = [
        (await _get(METADATA + path, app)).json().get("scopes_supported")
        for path in ("/mcp", "/servers/orders/mcp", "/servers/unknown/mcp")
    ]

    assert named == [["mcp"], ["mcp", "orders:read"], ["mcp"]]


@pytest.mark.requirement("identity:metadata")
async def test_a_scope_that_only_refresh_tokens_need_is_asked_for_nowhere() -> None:
    app = _app(scopes=["mcp", "offline_access"])

    found = (await _get(METADATA + "/mcp", app)).json()["scopes_supported"]

    assert found == ["mcp"]


@pytest.mark.requirement("identity:metadata")
async def test_without_a_path_the_metadata_is_of_the_endpoint_of_all() -> None:
    assert (await _get(METADATA)).json()["resource"] == f"{PUBLIC}/mcp"


@pytest.mark.requirement("identity:metadata")
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/mcp/",
        "//mcp",
        "/servers//mcp",
        "/servers/a/b/mcp",
        "/servers/time",
        "/admin/keys",
        "/servers/../mcp",
        '/servers/"/mcp',
        "/servers/a\r\nx: y/mcp",
        "/servers/é/mcp",
        "/https://evil.example/mcp",
    ],
)
async def test_what_is_no_endpoint_has_no_metadata(path: str) -> None:
    answered = await _get(METADATA + path)

    assert answered.status == 404
    assert answered.header(b"content-type") == b"application/json"
    assert set(answered.json()) == {"error"}


@pytest.mark.requirement("identity:metadata")
async def test_without_an_issuer_there_is_no_metadata() -> None:
    answered = await _get(METADATA + "/mcp", _app(issuer=""))

    assert (answered.status, answered.header(b"content-type")) == (404, b"application/json")


@pytest.mark.requirement("edge:nothing-is-nothing")
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration",
        "/mcp/.well-known/openid-configuration",
        "/register",
        "/healthz/",
        "/readyz/",
    ],
)
async def test_whatever_else_is_asked_for_is_answered_in_json_and_never_by_a_redirect(
    path: str,
) -> None:
    app = _app()
    app.router.redirect_slashes = False

    for method in ("GET", "POST"):
        answered = await _get(path, app, method=method)

        assert answered.status == 404
        assert answered.header(b"content-type") == b"application/json"


async def test_another_method_is_answered_with_those_that_there_are() -> None:
    answered = await _get("/readyz", method="DELETE")

    assert (answered.status, answered.json()) == (405, {"error": "Method Not Allowed"})
    assert b"GET" in answered.header(b"allow")


async def test_who_lives_says_so_to_anybody() -> None:
    answered = await _get("/healthz", headers=[(b"host", b"pod.example")])

    assert (answered.status, answered.body) == (200, b"ok\n")


@pytest.mark.parametrize(
    ("troubles", "status"),
    [
        ({}, 200),
        ({"server time": "away"}, 200),
        ({"ledger": "the disk does not keep up"}, 503),
        ({"server time": "away", "draining": "the gateway is stopping"}, 503),
        ({"servers": "not that prefix"}, 503),
    ],
)
async def test_readiness_fails_for_the_gateways_own_troubles_only(
    troubles: Mapping[str, str], status: int
) -> None:
    answered = await _get("/readyz", _app(troubles=troubles))

    assert answered.status == status
    assert answered.json() == {
        "status": "ready" if status == 200 else "not ready",
        "troubles": troubles,
    }


async def test_metrics_are_text() -> None:
    answered = await _get("/metrics")

    assert answered.body == b"calls_total 1\n"
    assert answered.header(b"content-type").startswith(b"text/plain; version=0.0.4")


@pytest.mark.requirement("edge:host-is-checked")
@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
async def test_a_page_reads_nothing_by_a_name_of_its_own(path: str) -> None:
    rebound = await _get(path, headers=[(b"host", b"evil.example:8080")])
    elsewhere = await _get(path, headers=[HOST, (b"origin", b"https://evil.example")])
    twice = await _get(path, headers=[HOST, HOST])
    by_address = await _get(path, headers=[(b"host", b"10.1.2.3:8080")])

    assert (rebound.status, elsewhere.status, twice.status) == (421, 403, 400)
    assert by_address.status == 200


async def test_a_fault_of_the_gateways_own_is_not_told_as_an_answer() -> None:
    with pytest.raises(RuntimeError, match="own"):
        await in_json(None, RuntimeError("own"))  # type: ignore[arg-type]
