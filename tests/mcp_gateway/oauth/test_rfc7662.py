"""What an issuer answers, and all that is no answer."""

import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import pytest

from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.oauth.ports import GrantOptions
from mcp_gateway.oauth.rfc7662 import Introspection
from mcp_gateway.oauth.upstream.rfc6749 import TokenEndpoint
from mcp_gateway.wire.http import HttpClient
from mcp_gateway.wire.network import Network

ISSUER = "https://login.example.com"
TOKEN = "a.marked.token"


@dataclass
class Answering:
    """Says what a test has it say, and remembers what it was asked."""

    url: str = ""
    status: int = 200
    body: bytes = b'{"active": true}'
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@pytest.fixture
def there() -> Iterator[Answering]:
    made = Answering()

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = dict(parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode()))
            made.asked.append((self.headers.get("authorization", ""), form))
            self.send_response(made.status)
            self.send_header("content-type", "application/json")
            self.send_header("location", "https://evil.example.com/")
            self.send_header("content-length", str(len(made.body)))
            self.end_headers()
            self.wfile.write(made.body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    made.url = f"http://127.0.0.1:{server.server_port}/introspect"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    made = HttpClient(Network(loopback=True))
    yield made
    await made.aclose()


def _asking(there: Answering, http: HttpClient, secret: Any = lambda: "s:1") -> Introspection:
    options = GrantOptions(client="the gateway", client_secret=secret)
    return Introspection(TokenEndpoint(http), there.url, ISSUER, lambda: options)


@pytest.mark.requirement("revocation:issuers-are-asked")
@pytest.mark.parametrize("active", [True, False])
async def test_the_issuer_is_asked_as_a_client_of_its_own_and_believed(
    there: Answering, http: HttpClient, *, active: bool
) -> None:
    there.body = json.dumps({"active": active, "sub": "alice"}).encode()

    said = await _asking(there, http).is_active(TOKEN)

    assert said is active
    # RFC 6749, section 2.3.1: both are encoded as in a form before they are joined.
    basic = "Basic dGhlK2dhdGV3YXk6cyUzQTE="
    assert there.asked == [(basic, {"token": TOKEN, "token_type_hint": "access_token"})]


@pytest.mark.requirement("revocation:silent-issuers-are-not-believed")
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"{}"),
        (200, b"[true]"),
        (200, b'{"active": "true"}'),
        (200, b'{"active": 1}'),
        (200, b'{"active": null}'),
        (200, b'{"active": true'),
        (200, b'"active"'),
        (200, b'{"active": true, "x": "' + b"y" * 70_000 + b'"}'),
        (201, b'{"active": true}'),
        (204, b""),
        (302, b'{"active": true}'),
        (400, b'{"active": true}'),
        (401, b'{"error": "invalid_client"}'),
        (429, b'{"active": false}'),
        (500, b'{"active": false}'),
        (503, b""),
    ],
)
async def test_what_is_no_clear_answer_is_none(
    there: Answering, http: HttpClient, status: int, body: bytes
) -> None:
    there.status, there.body = status, body

    with pytest.raises(UpstreamFailed) as failed:
        await _asking(there, http).is_active(TOKEN)

    assert ISSUER in str(failed.value)
    assert TOKEN not in str(failed.value)
    assert "s:1" not in str(failed.value)


async def test_a_secret_that_cannot_be_read_is_no_answer_and_nothing_is_sent(
    there: Answering, http: HttpClient
) -> None:
    def gone() -> str:
        raise OSError("no such file")

    with pytest.raises(UpstreamFailed, match="cannot read its client secret"):
        await _asking(there, http, gone).is_active(TOKEN)

    assert there.asked == []


async def test_an_issuer_that_is_not_there_is_no_answer(there: Answering, http: HttpClient) -> None:
    there.url = "http://127.0.0.1:1/introspect"

    with pytest.raises(UpstreamFailed, match="cannot be asked"):
        await _asking(there, http).is_active(TOKEN)
