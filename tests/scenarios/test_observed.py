"""What a running gateway says of itself: health, metrics, and spans that a collector receives."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mcp_gateway.edge.refusals import RECEIPT
from tests.support.collector import Collector, attributes, collector
from tests.support.process import Served, served, until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CONFIG = """
[gateway]
listen = "127.0.0.1:@PORT@"

[policy]
rules = ["builtin:first-run"]

[telemetry]
otlp_endpoint = "@COLLECTOR@"

[servers.time]
connector = "mcp_stdio"
command = ["@PYTHON@", "@EXAMPLE@"]

[servers.away]
connector = "mcp_http"
url = "http://127.0.0.1:9/mcp"
"""


@pytest.fixture(scope="module")
def collected() -> Any:
    with collector() as made:
        yield made


@pytest.fixture(scope="module")
async def gateway(
    tmp_path_factory: pytest.TempPathFactory, collected: Collector
) -> AsyncIterator[Served]:
    config = CONFIG.replace("@COLLECTOR@", collected.url)
    async with served(tmp_path_factory.mktemp("observed"), config) as running:
        await running.serving("time")
        await until(lambda: running.logged("the server away"))
        yield running


async def called(gateway: Served, tool: str, traceparent: str = "", **arguments: Any) -> Any:
    """The result of a call, with its receipt in `_meta`."""
    params = {"name": tool, "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {"traceparent": traceparent} if traceparent else {}
    async with gateway.http(gateway.key) as http:
        answer = await http.post("/mcp", json=message, headers=headers)
    return json.loads(answer.content)["result"]


async def metrics(gateway: Served) -> dict[tuple[str, ...], float]:
    async with gateway.http() as http:
        text = (await http.get("/metrics")).text
    return {
        (sample.name, *(f"{k}={v}" for k, v in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.requirement("operations:health")
async def test_health_says_that_it_lives_and_readiness_what_is_wrong(gateway: Served) -> None:
    async with gateway.http() as http:
        health, ready = await http.get("/healthz"), await http.get("/readyz")

    assert (health.status_code, health.text) == (200, "ok\n")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert set(ready.json()["troubles"]) == {"server away"}


@pytest.mark.requirement("operations:metrics")
async def test_metrics_count_calls_tools_errors_and_refusals(gateway: Served) -> None:
    before = await metrics(gateway)
    await called(gateway, "time__echo", text="x")
    await called(gateway, "time__echo")
    await called(gateway, "time__echo", text="AKIAABCDEFGHIJKLMNOP")
    after = await metrics(gateway)

    def grown(outcome: str) -> float:
        key = ("mcp_gateway_calls_total", "method=tools/call", f"outcome={outcome}", "server=time")
        return after.get(key, 0) - before.get(key, 0)

    assert [grown(outcome) for outcome in ("ok", "error", "blocked")] == [1, 1, 1]
    seconds = ("mcp_gateway_call_seconds_count", "method=tools/call")
    assert after[seconds] - before.get(seconds, 0) == 3
    assert after["mcp_gateway_ready",] == 1
    assert after["mcp_gateway_server_up", "server=time"] == 1
    assert after["mcp_gateway_server_up", "server=away"] == 0
    assert after["mcp_gateway_ledger_entries",] > 6


@pytest.mark.requirement("operations:spans")
async def test_a_span_stands_between_the_callers_and_the_upstreams(
    gateway: Served, collected: Collector
) -> None:
    result = await called(gateway, "time__told", f"00-{TRACE}-{PARENT}-01")
    call = result["_meta"][RECEIPT]["call"]
    await until(lambda: collected.of_call(call) is not None)
    span = collected.of_call(call)

    assert span is not None
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert result["content"][0]["text"] == f"00-{TRACE}-{span.span_id.hex()}-01"
    assert span.name == "tools/call told"
    assert attributes(span)["mcp_gateway.server"] == "time"
    entry = next(line for line in gateway.entries("outcome") if line["call"] == call)
    assert entry["trace"] == f"00-{TRACE}-{PARENT}-01"


@pytest.mark.requirement("operations:spans")
async def test_a_call_of_no_trace_begins_one_that_its_upstream_is_told(
    gateway: Served, collected: Collector
) -> None:
    result = await called(gateway, "time__told")
    call = result["_meta"][RECEIPT]["call"]
    await until(lambda: collected.of_call(call) is not None)
    span = collected.of_call(call)

    assert span is not None
    told = result["content"][0]["text"]
    assert told == f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01"
    assert span.parent_span_id == b""
