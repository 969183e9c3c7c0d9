import json
import re
import time
from collections.abc import Awaitable, Callable

import httpx2
import pytest
from click.testing import Result

from mcp_gateway.core.principal import Principal
from mcp_gateway.store.keys import Keys
from tests.mcp_gateway.cli.conftest import run
from tests.support.gateway import GatewayUnderTest, free_port
from tests.support.process import until
from tests.support.raw_server import raw_server

Admin = Callable[..., Awaitable[Result]]
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


async def status(gateway: GatewayUnderTest, key: str) -> int:
    headers = {"authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(headers=headers) as http:
        return (await http.post(f"{gateway.url}/mcp", json=PING)).status_code


@pytest.mark.requirement("cli:keys")
async def test_a_key_is_created_used_listed_and_revoked(
    gateway: GatewayUnderTest, admin: Admin
) -> None:
    made = await admin("keys", "create", "--subject", "ada", "--role", "user", "--client", "laptop")
    key = made.stdout.strip()
    key_id = re.findall(r"id (\w+); it cannot be shown again", made.stderr)[0]
    opens = await status(gateway, key)
    listed = await admin("keys", "list")
    revoked = await admin("keys", "revoke", key_id)
    closed = await status(gateway, key)
    after = await admin("keys", "list")

    assert (made.exit_code, opens, closed) == (0, 200, 401)
    assert re.search(rf"^{key_id}  valid +ada +user +laptop$", listed.output, re.MULTILINE)
    assert revoked.output == f"revoked {key_id}\n"
    assert re.search(rf"^{key_id}  revoked", after.output, re.MULTILINE)
    assert key not in listed.output + after.output


async def test_a_key_that_has_expired_is_shown_as_such(
    gateway: GatewayUnderTest, admin: Admin
) -> None:
    past = int(time.time()) - 10
    made = Keys(gateway.parts.database).create(
        Principal("local", "past", "default"), past - 10, expires=past
    )

    assert re.search(
        rf"^{made[0]}  expired +past", (await admin("keys", "list")).output, re.MULTILINE
    )


@pytest.mark.requirement("cli:servers")
async def test_servers_are_listed_with_their_trouble(admin: Admin) -> None:
    listed = await admin("servers", "list")

    assert listed.exit_code == 0
    assert "orders           openapi      4 definitions served" in listed.output
    assert "away             mcp_http     away: no connection to 127.0.0.1" in listed.output


@pytest.mark.requirement("cli:servers")
async def test_what_is_held_back_is_shown_and_accepted(
    gateway: GatewayUnderTest, admin: Admin
) -> None:
    running = gateway.parts.snapshots.running["orders"]
    changed = running.listed[0]
    other = type(changed)(changed.kind, "orders", changed.name, b"{}", "sha256:other")
    gateway.parts.snapshots._review.accept([other])
    running.wanted.set()
    await until(lambda: running.reviewed.held)
    listed = await admin("servers", "list")
    compared = await admin("servers", "diff", "orders")
    accepted = await admin("servers", "accept", "orders", changed.name)
    await until(lambda: not running.reviewed.held)
    again = await admin("servers", "accept", "orders")
    alike = await admin("servers", "diff")

    assert f"  held back: tool/orders/{changed.name}: its definition changed" in listed.output
    assert f"tool/orders/{changed.name}: changed\n  --- approved sha256:other" in compared.output
    assert f'\n  +  "name": "{changed.name}"\n' in compared.output
    assert (alike.exit_code, alike.output) == (0, "")
    assert accepted.output == f"accepted tool/orders/{changed.name}\n"
    assert again.exit_code == 1
    assert "nothing of 'orders' is held back" in again.output


@pytest.mark.requirement("cli:says-what-strangers-wrote-plainly")
async def test_who_asked_for_access_is_listed_without_moving_the_terminal(
    gateway: GatewayUnderTest, admin: Admin
) -> None:
    async with gateway.http("alice") as http:
        arguments = {"target": "tool/orders/refund", "reason": "please\x1b[2J\nroot  approved"}
        params = {"name": "gateway__request_access", "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        answer = await http.post("/mcp", json=message)
    listed = await admin("access", "list")

    assert answer.status_code == 200
    (line,) = [line for line in listed.output.splitlines() if "local|alice" in line]
    assert line.endswith("tool/orders/refund  please\\u001b[2J\\u000aroot  approved")


@pytest.mark.requirement("cli:bad-input-ends-in-words")
async def test_a_refusal_ends_the_command_with_its_words(admin: Admin) -> None:
    denied = await admin("keys", "list", subject="alice")
    unknown = await admin("keys", "revoke", "none")
    bad = await admin("keys", "create", "--subject", "a b")

    assert [result.exit_code for result in (denied, unknown, bad)] == [1, 1, 1]
    assert "Refused by the gateway" in denied.output or "no operation is called" in denied.output
    assert "there is no key 'none'; `mcp-gateway keys list` has them" in unknown.output
    assert "subject: String should match pattern" in bad.output


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ["keys", "list", "--key", "x", "--url", "http://127.0.0.1:{port}"],
            1,
            "no gateway answers",
        ),
        (["keys", "list", "--key", "x", "--url", "nonsense"], 1, "no gateway answers at nonsense"),
        (["keys", "list", "--key", "x", "--url", "http://[::1"], 1, "no gateway answers"),
        (["keys", "list", "--key", "schlüssel"], 1, "the key holds what no key holds"),
        (["keys", "list"], 2, "Missing option '--key'"),
        (["keys", "create", "--key", "x"], 2, "Missing option '--subject'"),
        (["keys", "create", "--key", "x", "--days", "many"], 2, "'many' is not a valid integer"),
        (["keys", "revoke", "--key", "x"], 2, "Missing argument 'KEY_ID'"),
        (["servers", "accept", "--key", "x"], 2, "Missing argument 'SERVER'"),
        (["keys", "frobnicate"], 2, "No such command 'frobnicate'"),
    ],
)
@pytest.mark.requirement("cli:bad-input-ends-in-words")
def test_bad_input_ends_in_words_and_a_code(words: list[str], code: int, said: str) -> None:
    port = str(free_port())
    result = run(*(word.replace("{port}", port) for word in words))

    assert (result.exit_code, said in result.output) == (code, True), result.output
    assert "Traceback" not in result.output


@pytest.mark.requirement("cli:bad-input-ends-in-words")
async def test_a_key_that_is_unknown_is_told_so(gateway: GatewayUnderTest, admin: Admin) -> None:
    gateway.keys["nobody"] = "mcpgw_00000000_x"
    result = await admin("keys", "list", subject="nobody")

    assert result.exit_code == 1
    assert "the key is unknown or was revoked" in result.output


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>hello</html>", "answered 502 and no JSON"),
        (json.dumps({"error": "no\x1b[31m"}).encode(), "no\\u001b[31m"),
        (b'["odd"]', "['odd']"),
    ],
)
async def test_what_is_no_gateway_is_not_mistaken_for_one(
    admin: Admin, body: bytes, said: str
) -> None:
    head = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: %d\r\n\r\n" % len(body)
    async with raw_server(lambda _: head + body) as (url, _):
        result = await admin("keys", "list", url=url)

    assert result.exit_code == 1
    assert said in result.output
