"""An application behind a REST API, and what its answers become."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.openapi import OpenApi, OpenApiConfig
from mcp_gateway.core.credential import NONE, Credential, CredentialRefused
from mcp_gateway.core.errors import (
    InvalidRequest,
    ResultTooLarge,
    UpstreamFailed,
    UpstreamTimedOut,
)
from mcp_gateway.core.target import Target
from tests.connectors.conftest import SMALL, Around
from tests.connectors.test_openapi_document import THING, body, document
from tests.support.calls import call
from tests.support.tcp import Server, answering, plain, read_request, tcp_server
from tests.support.waiting import until

KEY = Credential("static:app", (("X-Api-Key", "s3cr3t-k3y"),))
JSON = b"content-type: application/json; charset=utf-8"


@asynccontextmanager
async def connected(
    around: Around, url: str, made: Any = None, **config: Any
) -> AsyncIterator[OpenApi]:
    file = around.services.data.parent / "document.json"
    file.write_text(json.dumps(made or document()), "utf-8")
    own = OpenApiConfig(url=url, document=str(file), **config)
    connector = await OpenApi.open("app", own, around.services)
    try:
        yield connector
    finally:
        await connector.aclose()


def asking(name: str = "thing", credential: Any = KEY, **arguments: Any) -> Any:
    made = call(params={"name": f"app__{name}", "arguments": arguments or {"id": "7"}})
    made.target, made.credential = Target("tool", "app", name), credential
    return made


def base(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}/api/"


async def test_a_call_is_a_request_and_its_answer_a_result_in_both_faces(around: Around) -> None:
    async with (
        answering(plain(b'{"id": "7", "n": 1}', JSON)) as server,
        connected(around, base(server)) as connector,
    ):
        made = asking()
        made.trace = f"00-{'a' * 32}-{'b' * 16}-01"
        result = await connector.send(made)

    head = server.heads[0].decode().lower()
    assert head.startswith("get /api/things/7 http/1.1\r\n")
    assert "x-api-key: s3cr3t-k3y" in head
    assert "accept: application/json" in head
    assert f"traceparent: 00-{'a' * 32}-" in head
    assert "b" * 16 not in head
    assert "content-type" not in head
    assert result.view() == {
        "content": [{"type": "text", "text": '{"id": "7", "n": 1}'}],
        "structuredContent": {"id": "7", "n": 1},
        "isError": False,
        "resultType": "complete",
    }


async def test_a_body_goes_with_its_type(around: Around) -> None:
    media = "application/merge-patch+json"
    made = document("/things", "patch", requestBody=body(THING, media=media))
    async with (
        answering(plain(b"[1]", JSON)) as server,
        connected(around, base(server), made) as connector,
    ):
        result = await connector.send(asking(a="x"))

    assert f"content-type: {media}".encode() in server.heads[0]
    assert server.heads[0].endswith(b'{"a":"x"}')
    assert "structuredContent" not in result.view()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (plain(b'{"error":"no"}', JSON, status=b"404 Not Found"), 'HTTP 404: {"error":"no"}'),
        (plain(b"oops", b"content-type: text/plain", status=b"500 Oops"), "HTTP 500: oops"),
        (plain(b"", b"location: http://127.0.0.1:1/", status=b"302 Found"), "HTTP 302: "),
        (plain(b"", status=b"308 Elsewhere"), "HTTP 308: "),
        (plain(b"\x89PNG", b"content-type: image/png"), "HTTP 200: 4 bytes of image/png, which"),
    ],
)
@pytest.mark.requirement("upstreams:redirections-are-not-followed")
async def test_what_is_no_success_is_a_tools_error(
    around: Around, answer: bytes, text: str
) -> None:
    async with (
        answering(answer) as server,
        connected(around, base(server)) as connector,
    ):
        result = await connector.send(asking())

    view = result.view()
    assert view["isError"] is True
    assert view["content"][0]["text"].startswith(text)
    assert "structuredContent" not in view
    assert server.opened == 1


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (plain(b"", status=b"204 No Content"), ""),
        (plain(b"plain", b"content-type: text/plain"), "plain"),
        (plain(b"<a/>", b"content-type: application/atom+xml"), "<a/>"),
        (plain(b"caf\xe9", b"content-type: text/plain"), "caf\N{REPLACEMENT CHARACTER}"),
        (plain(b'{"broken":', JSON), '{"broken":'),
        (plain(b"no type at all"), "no type at all"),
    ],
)
async def test_other_successes_are_text(around: Around, answer: bytes, text: str) -> None:
    async with (
        answering(answer) as server,
        connected(around, base(server)) as connector,
    ):
        view = (await connector.send(asking())).view()

    assert (view["isError"], view["content"][0]["text"]) == (False, text)
    assert "structuredContent" not in view


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (plain(b"", status=b"401 Unauthorized"), CredentialRefused),
        (
            plain(b"", b"www-authenticate: Bearer error=insufficient_scope", status=b"403 No"),
            CredentialRefused,
        ),
        (plain(b"x" * (SMALL + 1)), ResultTooLarge),
        (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n", UpstreamFailed),
        (b"nonsense\r\n\r\n", UpstreamFailed),
    ],
)
@pytest.mark.requirement("upstreams:nonsense-is-theirs-alone")
async def test_what_is_no_answer_is_a_failure(
    around: Around, answer: bytes, failure: type[Exception]
) -> None:
    async with (
        answering(answer) as server,
        connected(around, base(server)) as connector,
    ):
        with pytest.raises(failure) as told:
            await connector.send(asking())

    assert "s3cr3t" not in str(told.value) + repr(told.value)


async def test_an_application_that_says_nothing_is_not_waited_for(around: Around) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with (
        tcp_server(silent) as server,
        connected(around, base(server), timeout=0.2) as connector,
    ):
        with pytest.raises(UpstreamTimedOut):
            await connector.send(asking())
    assert around.changed == []


@pytest.mark.requirement("upstreams:cancellation-is-passed-on")
async def test_a_cancelled_call_hangs_up_on_the_application(around: Around) -> None:
    seen: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        seen.append("asked")
        await reader.read()
        seen.append("left")

    async with (
        tcp_server(serve) as server,
        connected(around, base(server)) as connector,
    ):
        sending = asyncio.ensure_future(connector.send(asking()))
        await until(lambda: seen)
        sending.cancel()
        await until(lambda: "left" in seen)


@pytest.mark.requirement("openapi:arguments-stay-in-their-place")
async def test_no_argument_stands_in_the_place_of_the_credential(around: Around) -> None:
    parameters = [{"name": "id", "in": "path"}, {"name": "x-api-key", "in": "header"}]
    async with (
        answering(plain(b"")) as server,
        connected(around, base(server), document(parameters=parameters)) as connector,
    ):
        with pytest.raises(InvalidRequest, match="no argument can fill 'x-api-key'"):
            await connector.send(asking(id="7", **{"x-api-key": "mine"}))

    assert server.opened == 0


async def test_a_credential_that_no_header_can_hold_is_told_without_its_value(
    around: Around,
) -> None:
    broken = Credential("static:app", (("X-Api-Key", "s3cr3t\r\nx: y"),))
    async with (
        answering(plain(b"")) as server,
        connected(around, base(server)) as connector,
    ):
        with pytest.raises(UpstreamFailed, match="characters that no header has") as told:
            await connector.send(asking(credential=broken))
    assert "s3cr3t" not in str(told.value)


async def test_what_is_no_tool_of_it_is_told(around: Around) -> None:
    async with connected(around, "http://127.0.0.1:9/") as connector:
        with pytest.raises(UpstreamFailed, match="app has no 'other'"):
            await connector.send(asking("other"))
        made = asking()
        made.method = "completion/complete"
        with pytest.raises(UpstreamFailed, match="app has no 'thing'"):
            await connector.send(made)


async def test_its_tools_are_the_documents_while_it_is_there(around: Around) -> None:
    async with (
        answering(plain(b"", status=b"404 Not Found")) as server,
        connected(around, base(server)) as connector,
    ):
        found = await connector.discover(NONE)

    assert [(d.kind, d.server, d.name, d.flaw) for d in found] == [("tool", "app", "thing", "")]
    assert server.heads[0].startswith(b"HEAD /api/ HTTP/1.1\r\n")


@pytest.mark.requirement("upstreams:a-dead-one-fails-its-calls")
async def test_an_application_that_is_away_has_no_tools_and_is_looked_at_again(
    around: Around,
) -> None:
    async with connected(around, "http://127.0.0.1:9/") as connector:
        with pytest.raises(UpstreamFailed, match=r"app: no connection to 127\.0\.0\.1"):
            await connector.discover(NONE)
        with pytest.raises(UpstreamFailed):
            await connector.send(asking())

    assert around.changed == ["app", "app"]


async def test_an_application_of_the_gateways_own_is_started_and_started_again(
    around: Around,
) -> None:
    config = OpenApiConfig(
        url="http://127.0.0.1:{port}",
        document="builtin:orders",
        command=[sys.executable, "-m", "connectors.samples.orders", "{port}"],
        environment=["PYTHONPATH"],
    )
    connector = await OpenApi.open("app", config, around.services)
    assert around.ledger.kinds == []
    await connector.discover(NONE)
    result = await connector.send(asking("get_order", id="1001"))
    await connector.aclose()

    assert json.loads(result.view()["content"][0]["text"])["customer"] == "Ada"
    assert around.ledger.kinds == ["spawn", "child.ended"]
    with pytest.raises(UpstreamFailed, match="is being stopped"):
        await connector.send(asking("get_order", id="1001"))


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "Expecting value"), ("[]", "an OpenAPI document is an object"), ("{", "Expecting")],
)
async def test_a_document_that_cannot_be_read_is_told(
    around: Around, tmp_path: Path, text: str, why: str
) -> None:
    file = tmp_path / "broken.json"
    file.write_text(text, "utf-8")

    with pytest.raises(ValueError, match=why):
        await OpenApi.open(
            "app", OpenApiConfig(url="http://x/", document=str(file)), around.services
        )


async def test_a_document_that_is_not_there_is_told(around: Around) -> None:
    for document_ in ("/no/such/file.json", "builtin:no-such-sample"):
        with pytest.raises(OSError, match="No such file"):
            await OpenApi.open(
                "app", OpenApiConfig(url="http://x/", document=document_), around.services
            )
