"""API keys through the whole gateway: what is kept of them, what they open, and when they end."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mcp_gateway import lifecycle
from mcp_gateway.core.entry import Entry
from mcp_gateway.core.errors import Overloaded
from mcp_gateway.core.principal import Principal
from mcp_gateway.edge.failures import MOST_FAILURES, WINDOW, Failures
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import LOCAL, Keys, digest_of
from tests.support.edge import INITIALIZE, message, modern_headers, with_meta
from tests.support.gateway import TENANT, GatewayUnderTest, gateway_under_test

BOUND = 20.0
PING = message("ping")
CONFIG = """
[servers.everything]
connector = "mcp_stdio"
command = ["@PYTHON@", "@EXAMPLE@"]
requires = ["everything:use", "everything:read"]
"""


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayUnderTest]:
    async with gateway_under_test(tmp_path_factory.mktemp("keys"), CONFIG) as running:
        await running.serving("everything")
        yield running


def _http(gateway: GatewayUnderTest, key: str, **headers: str) -> httpx2.AsyncClient:
    sent = {"authorization": f"Bearer {key}", **headers}
    return httpx2.AsyncClient(base_url=gateway.url, headers=sent, timeout=BOUND)


async def _made(gateway: GatewayUnderTest, subject: str, **asked: Any) -> dict[str, Any]:
    """A key, as an administrator makes it."""
    async with gateway.http("admin") as http:
        answer = await http.post("/admin/keys", json={"subject": subject, **asked})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def _ping(gateway: GatewayUnderTest, key: str) -> httpx2.Response:
    async with _http(gateway, key) as http:
        return await http.post("/mcp", json=PING)


@pytest.mark.requirement("identity:keys-are-hashed")
async def test_nothing_on_disk_holds_a_key_and_no_list_shows_one(gateway: GatewayUnderTest) -> None:
    made = await _made(gateway, "kept")
    key = made["key"]
    assert (await _ping(gateway, key)).status_code == 200
    await asyncio.to_thread(gateway.parts.log.checkpoint)

    async with gateway.http("admin") as http:
        listed = (await http.get("/admin/keys")).text

    folder = gateway.parts.home.folder
    kept = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert digest_of(key).hex().encode() in b"".join(kept.values()), "it is there by its digest"
    secret = key.split("_", 2)[2]
    assert [name for name, content in kept.items() if secret.encode() in content] == []
    assert made["id"] in listed
    assert secret not in listed
    assert digest_of(key).hex() not in listed


@pytest.mark.requirement("identity:keys-are-hashed")
async def test_the_digest_of_a_key_is_no_key(gateway: GatewayUnderTest) -> None:
    key = (await _made(gateway, "digest"))["key"]

    for other in (digest_of(key).hex(), f"mcpgw_{digest_of(key).hex()}", key[:-1], key + "x"):
        assert (await _ping(gateway, other)).status_code == 401


@pytest.mark.requirement("identity:keys-expire")
async def test_a_key_that_has_expired_is_refused(gateway: GatewayUnderTest) -> None:
    principal = Principal(LOCAL, "expired", TENANT, roles=frozenset({"user"}))
    now = int(time.time())
    keys = Keys(gateway.parts.database)
    over = keys.create(principal, now - 100, expires=now - 1)[1]
    good = keys.create(principal, now, expires=now + 100)[1]
    await gateway.parts.keyring.refresh()

    refused = await _ping(gateway, over)

    assert (refused.status_code, "the key has expired" in refused.text) == (401, True)
    assert refused.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert (await _ping(gateway, good)).status_code == 200


@pytest.mark.requirement("identity:keys-expire")
async def test_a_key_ends_on_the_day_that_was_asked_for(
    gateway: GatewayUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await _made(gateway, "week", days=7)
    for_ever = await _made(gateway, "ever", days=0)
    assert made["expires"] == pytest.approx(time.time() + 7 * 86_400, abs=60)
    assert for_ever["expires"] == 0

    later = time.time() + 7 * 86_400
    monkeypatch.setattr(gateway.parts.authenticator, "_clock", lambda: later)

    assert (await _ping(gateway, made["key"])).status_code == 401
    assert (await _ping(gateway, for_ever["key"])).status_code == 200


async def _session(http: httpx2.AsyncClient) -> str:
    answer = await http.post("/mcp", json=message("initialize", INITIALIZE))
    return str(answer.headers["mcp-session-id"])


@pytest.mark.requirement("identity:keys-are-revoked-within-a-second")
async def test_a_session_ends_with_the_key_that_began_it(gateway: GatewayUnderTest) -> None:
    made = await _made(gateway, "leaver")
    async with _http(gateway, made["key"]) as http:
        http.headers["mcp-session-id"] = await _session(http)
        call = message("tools/call", {"name": "gateway__whoami"})
        before = await http.post("/mcp", json=call)
        async with gateway.http("admin") as admin:
            await admin.post("/admin/keys/revoke", json={"id": made["id"]})
        calls = len(gateway.outcomes())
        after = [await http.post("/mcp", json=call), await http.delete("/mcp")]
        another = (await _made(gateway, "leaver"))["key"]
        http.headers["authorization"] = f"Bearer {another}"
        taken_over = await http.post("/mcp", json=call)

    assert before.json()["result"]["structuredContent"]["subject"] == "leaver"
    assert [answer.status_code for answer in after] == [401, 401]
    assert (taken_over.status_code, taken_over.json()) == (404, {"error": "Session not found"})
    subjects = [line.get("subject") for line in gateway.outcomes()[calls:]]
    assert "leaver" not in subjects


@pytest.mark.requirement("identity:keys-are-revoked-within-a-second")
async def test_a_key_that_another_process_revokes_is_of_no_use_within_a_second(
    gateway: GatewayUnderTest,
) -> None:
    made = await _made(gateway, "elsewhere")
    async with _http(gateway, made["key"]) as http:
        assert (await http.post("/mcp", json=PING)).status_code == 200
        other = Database.open(gateway.parts.home.database)
        assert await asyncio.to_thread(Keys(other).revoke, made["id"], TENANT, int(time.time()))
        other.close()

        revoked = time.monotonic()
        async with asyncio.timeout(BOUND):
            while (await http.post("/mcp", json=PING)).status_code == 200:
                await asyncio.sleep(0.01)

    assert time.monotonic() - revoked < 1.0


ASKED: list[tuple[str, dict[str, Any]]] = [
    ("tools/call", {"name": "everything__echo", "arguments": {"text": "x"}}),
    ("prompts/get", {"name": "everything__greet", "arguments": {"name": "x"}}),
    ("resources/read", {"uri": "note://x"}),
    (
        "completion/complete",
        {
            "ref": {"type": "ref/prompt", "name": "everything__greet"},
            "argument": {"name": "name", "value": "x"},
        },
    ),
]


async def _asked(
    gateway: GatewayUnderTest, key: str, method: str, params: dict[str, Any], era: str
) -> httpx2.Response:
    async with _http(gateway, key, accept="application/json, text/event-stream") as http:
        if era == "legacy":
            return await http.post("/mcp", json=message(method, params))
        headers = {name.decode(): value.decode() for name, value in modern_headers(method, params)}
        return await http.post("/mcp", json=message(method, with_meta(params)), headers=headers)


@pytest.mark.requirement("identity:step-up")
@pytest.mark.parametrize(("method", "params"), ASKED)
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_what_a_server_requires_is_asked_for_in_full(
    gateway: GatewayUnderTest, method: str, params: dict[str, Any], era: str
) -> None:
    some = (await _made(gateway, "some", scopes=["everything:read"]))["key"]

    answer = await _asked(gateway, some, method, params, era)

    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == (
        'Bearer error="insufficient_scope", scope="everything:read everything:use"'
    )
    error = answer.json()["error"]
    assert (error["code"], error["data"]["refusal"]) == (-31056, "insufficient_scope")
    assert "lacks the scope everything:use" in error["message"]
    last = gateway.outcomes()[-1]
    assert (last["outcome"], last["subject"]) == ("insufficient_scope", "some")
    assert "intent" not in last


@pytest.mark.requirement("identity:step-up")
@pytest.mark.parametrize(("method", "params"), ASKED[:3])
async def test_a_key_with_every_scope_is_served(
    gateway: GatewayUnderTest, method: str, params: dict[str, Any]
) -> None:
    scopes = ["everything:read", "everything:use"]
    every = (await _made(gateway, "every", scopes=scopes))["key"]

    answer = await _asked(gateway, every, method, params, "modern")

    assert answer.status_code == 200
    assert "result" in answer.json()


@pytest.mark.requirement("identity:step-up")
async def test_no_role_stands_in_for_a_scope(gateway: GatewayUnderTest) -> None:
    method, params = ASKED[0]

    answer = await _asked(gateway, gateway.keys["admin"], method, params, "modern")

    assert answer.status_code == 403


OPEN = """
[identity]
anonymous = true

[policy]
rules = ["{rules}"]
"""
RULES = """
p, 1, lists,  role:anonymous, *, catalog/*/*,         *,          , allow,
p, 2, whoami, role:anonymous, *, tool/gateway/whoami, tools/call, , allow,
"""


@pytest.mark.requirement("identity:anonymous-on-loopback-only")
async def test_who_shows_nothing_is_anonymous_where_that_is_configured(tmp_path: Path) -> None:
    rules = tmp_path / "open.csv"
    rules.write_text(RULES, "utf-8")
    async with (
        gateway_under_test(tmp_path, OPEN.replace("{rules}", str(rules))) as open_,
        httpx2.AsyncClient(base_url=open_.url) as http,
    ):
        listed = await http.post("/mcp", json=message("tools/list"))
        said = await http.post("/mcp", json=message("tools/call", {"name": "gateway__whoami"}))
        wrong = await http.post("/mcp", json=PING, headers={"authorization": "Bearer wrong"})
        keys = await http.get("/admin/keys")
        outcome = open_.outcomes()[1]

    assert [tool["name"] for tool in listed.json()["result"]["tools"]] == ["gateway__whoami"]
    who = said.json()["result"]["structuredContent"]
    assert (who["issuer"], who["subject"]) == ("anonymous", "anonymous")
    assert who["roles"] == ["anonymous"]
    assert (wrong.status_code, keys.status_code) == (401, 403)
    assert outcome["subject"] == "anonymous"


@pytest.mark.requirement("identity:anonymous-on-loopback-only")
@pytest.mark.parametrize("path", ["/mcp", "/servers/everything/mcp", "/admin/keys"])
async def test_where_it_is_not_configured_nobody_is_let_in(
    gateway: GatewayUnderTest, path: str
) -> None:
    async with httpx2.AsyncClient(base_url=gateway.url) as http:
        method = "GET" if path.startswith("/admin") else "POST"
        answer = await http.request(method, path, json=PING)

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _sums(gateway: GatewayUnderTest) -> list[int]:
    return [e["count"] for e in gateway.entries() if e["kind"] == "authentication.failed"]


@pytest.mark.requirement("identity:failures-are-limited")
@pytest.mark.requirement("identity:failures-are-recorded-in-sum")
async def test_who_tries_too_often_waits_and_the_ledger_has_one_entry_for_it(
    tmp_path: Path,
) -> None:
    clock, tried = Clock(), MOST_FAILURES + 10
    async with gateway_under_test(tmp_path, "") as gateway:
        gateway.parts.authenticator.failures = Failures(clock)
        async with _http(gateway, "wrong") as http:
            wrong = [await http.post("/mcp", json=PING) for _ in range(tried)]
        known = await _ping(gateway, gateway.keys["alice"])
        await lifecycle.record_failures(gateway.parts)
        await lifecycle.record_failures(gateway.parts)
        sums = _sums(gateway)
        clock.now += WINDOW
        later = await _ping(gateway, "wrong")

    assert [answer.status_code for answer in wrong] == [401] * MOST_FAILURES + [429] * 10
    assert wrong[-1].headers["retry-after"] == "60"
    assert (known.status_code, later.status_code) == (200, 401)
    assert sums == [tried]


@pytest.mark.requirement("identity:failures-are-recorded-in-sum")
async def test_what_cannot_be_recorded_now_is_in_the_next_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway_under_test(tmp_path, "") as gateway:
        parts = gateway.parts

        async def full(_: Entry) -> None:
            raise Overloaded("the disk is full")

        await _ping(gateway, "wrong")
        with monkeypatch.context() as broken:
            broken.setattr(parts.log, "append", full)
            await lifecycle.record_failures(parts)
        await _ping(gateway, "wrong")
        await lifecycle.record_failures(parts)

        assert _sums(gateway) == [2]


@pytest.mark.requirement("identity:failures-are-recorded-in-sum")
async def test_each_minute_has_one_entry_if_anything_failed_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "MINUTE", 0.2)
    async with gateway_under_test(tmp_path, "") as gateway:
        async with _http(gateway, "wrong") as http:
            for _ in range(50):
                await http.post("/mcp", json=PING)
        async with asyncio.timeout(BOUND):
            while sum(_sums(gateway)) < 50:
                await asyncio.sleep(0.05)
        sums = _sums(gateway)

    assert sum(sums) == 50
    assert len(sums) < 50
    assert 0 not in sums
