"""The gateway as it is operated: real processes, started, looked at, and stopped."""

import asyncio
import json
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mcp_gateway.ledger import files
from mcp_gateway.ledger.verify import verify
from tests.support.gateway import free_port
from tests.support.process import KEY, Served, command, served, started, stop, until

ALONE = """
[gateway]
listen = "127.0.0.1:@PORT@"
notice = 0.4
drain = 5

[policy]
rules = ["builtin:first-run"]
"""
CONFIG = f"""{ALONE}
[servers.time]
connector = "mcp_stdio"
command = ["@PYTHON@", "@EXAMPLE@"]
"""


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, CONFIG) as running:
        await running.serving("time")
        yield running


def whole(gateway: Served) -> list[str]:
    """How each log of the ledger ended. It must verify."""
    ledger = gateway.data / "ledger"
    assert [line for report in verify(ledger) for line in report.damage] == []
    return [files.read_text(log / files.END).split(" ")[0] for log in files.logs(ledger)]


async def slow_call(gateway: Served, seconds: float) -> asyncio.Future[httpx2.Response]:
    """A call that is under way: its intent is on disk."""
    before = len(gateway.entries("intent"))
    call = asyncio.ensure_future(gateway.call("time__slow", seconds=seconds))
    await until(lambda: len(gateway.entries("intent")) > before)
    return call


@pytest.mark.requirement("operations:graceful-drain")
async def test_a_stop_is_seen_first_then_nothing_is_accepted_and_calls_in_flight_finish(
    gateway: Served,
) -> None:
    call = await slow_call(gateway, 2)
    gateway.send(signal.SIGTERM)
    await until(lambda: gateway.logged("stopping"))
    async with gateway.http() as http:
        ready = await http.get("/readyz")
    accepted = await gateway.call("time__echo", text="still here")
    await until(lambda: gateway.logged("Shutting down"))
    with pytest.raises(httpx2.ConnectError):
        await gateway.call("time__echo", text="too late")
    answer = await call
    code = await gateway.ended(10)

    assert (ready.status_code, ready.json()["troubles"]) == (
        503,
        {"draining": "the gateway is stopping"},
    )
    assert "still here" in accepted.text
    assert json.loads(answer.content)["result"]["content"][0]["text"] == "done"
    assert code == 0
    assert whole(gateway) == ["closed"]
    assert gateway.entries()[-1]["kind"] == "closed"


@pytest.mark.requirement("operations:what-is-left-is-cancelled")
async def test_a_second_signal_cancels_what_is_left_and_records_it_so(gateway: Served) -> None:
    call = await slow_call(gateway, 60)
    gateway.send(signal.SIGTERM)
    await until(lambda: gateway.logged("stopping"))
    gateway.send(signal.SIGTERM)
    begun = time.perf_counter()
    answer = await call
    code = await gateway.ended(10)

    assert (answer.status_code, answer.json()["error"]) == (
        503,
        "the gateway is stopping: call again",
    )
    assert code == 0
    assert time.perf_counter() - begun < 4
    assert gateway.entries("outcome")[-1]["outcome"] == "cancelled"
    assert whole(gateway) == ["closed"]


@pytest.mark.requirement("operations:what-is-left-is-cancelled")
async def test_after_the_bound_what_is_left_is_cancelled_and_recorded_so(tmp_path: Path) -> None:
    config = CONFIG.replace("notice = 0.4\ndrain = 5", "notice = 0\ndrain = 0.5")
    async with served(tmp_path, config) as gateway:
        await gateway.serving("time")
        call = await slow_call(gateway, 60)
        gateway.send(signal.SIGTERM)
        begun = time.perf_counter()
        answer = await call
        code = await gateway.ended(10)

        assert answer.status_code == 503
        assert code == 0
        assert time.perf_counter() - begun < 5
        assert gateway.entries("outcome")[-1]["outcome"] == "cancelled"
        assert whole(gateway) == ["closed"]


@pytest.mark.requirement("servers:one-away-costs-its-own-tools")
async def test_upstreams_that_refuse_or_never_answer_delay_neither_start_nor_end(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        config = CONFIG + (
            f'[servers.silent]\nconnector = "mcp_http"\nurl = "http://127.0.0.1:{port}/mcp"\n'
            '[servers.refusing]\nconnector = "mcp_http"\nurl = "http://127.0.0.1:9/mcp"\n'
        )
        begun = time.perf_counter()
        async with served(tmp_path, config) as gateway:
            async with gateway.http() as http:
                ready = await http.get("/readyz")
            seconds, work = time.perf_counter() - begun, gateway.cpu()
            await gateway.serving("time")
            await until(lambda: gateway.logged("the server refusing"))
            said = await gateway.call("time__echo", text="served")
            listed = command("servers", "list", "--url", gateway.url, MCP_GATEWAY_KEY=gateway.key)
            stopping = time.perf_counter()
            stop(gateway.process)
            ending = time.perf_counter() - stopping

    assert ready.status_code == 200
    # The machine may be busy, and then only the work can be judged; an upstream takes 30 s to be
    # given up.
    assert work < 3
    assert seconds < 15
    assert "served" in said.text
    assert "silent           mcp_http     it has not answered yet" in listed.out
    assert "refusing         mcp_http     refusing: no connection to 127.0.0.1" in listed.out
    assert "time             mcp_stdio    7 definitions served" in listed.out
    assert ending < 6


@pytest.mark.requirement("operations:a-start-tells-no-secret-twice")
async def test_a_second_start_keeps_its_state_and_prints_no_secret(tmp_path: Path) -> None:
    port = free_port()
    async with served(tmp_path, ALONE, port=port) as first:
        key = first.key
        first.send(signal.SIGTERM)
        assert await first.ended(10) == 0
    async with served(tmp_path, ALONE, port=port) as second:
        whoami = await second.call("gateway__whoami", key)
        texts = second.out.read_text() + second.err.read_text() + first.err.read_text()

    assert whoami.status_code == 200
    assert KEY.findall(texts) == []
    assert "init --reset-admin" in texts
    assert [line["kind"] for line in first.entries() if line["kind"].startswith("key.")] == [
        "key.first"
    ]
    assert set(whole(first)) == {"closed"}


async def test_an_address_that_is_taken_is_said_and_no_key_is_lost(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = started(tmp_path / "var", ALONE, port=port)
        code = await refused.ended()
    async with served(tmp_path, ALONE, port=port) as gateway:
        key = gateway.key

    assert code != 0
    assert refused.logged("address already in use")
    assert KEY.findall(refused.out.read_text()) == []
    assert key
    assert set(whole(gateway)) == {"closed"}


@pytest.mark.requirement("operations:logs-hold-no-secrets")
async def test_everything_on_standard_error_is_json_and_holds_no_key(tmp_path: Path) -> None:
    async with served(tmp_path, ALONE) as gateway:
        key = gateway.key
        await gateway.call("gateway__whoami")
        gateway.config.write_text(f'[servers.a]\nconnector = "{key}"\n')
        await until(lambda: gateway.logged("no connector"))
        lines, troubles = gateway.log(), await gateway.ready()
        written = gateway.err.read_text()

    assert {"time", "level", "logger", "message"} <= set.intersection(*(set(x) for x in lines))
    assert {line["logger"].split(".")[0] for line in lines} >= {"mcp_gateway", "uvicorn"}
    assert key not in written
    refused: list[dict[str, Any]] = gateway.entries("configuration.refused")
    assert "no connector 'mcpgw_[redacted]'" in refused[-1]["reason"]
    assert troubles["configuration refused"] == refused[-1]["reason"]
