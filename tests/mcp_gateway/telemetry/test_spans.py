import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from mcp_gateway.telemetry import spans
from mcp_gateway.telemetry.spans import Spans
from mcp_gateway.wire.trace import begun, span_of
from tests.support import calls
from tests.support.collector import Collector, attributes, collector
from tests.support.fakes import HIDDEN, FakePolicy

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def collected() -> Iterator[Collector]:
    with collector() as made:
        yield made


@asynccontextmanager
async def exporting(to: str) -> AsyncIterator[Spans]:
    made = Spans(to)
    try:
        yield made
    finally:
        await made.aclose()


async def exported(collected: Collector, call: Any, outcome: str = "ok") -> Span:
    async with exporting(collected.url) as observer:
        observer.ended(call, outcome, 0.25)
    (span,) = collected.spans
    return span


@pytest.mark.requirement("operations:spans")
async def test_a_call_is_one_span_under_the_names_of_the_conventions(collected: Collector) -> None:
    span = await exported(collected, calls.resolved(trace=f"00-{TRACE}-{PARENT}-01"))

    assert collected.services == {"mcp-gateway"}
    assert (span.name, span.kind) == ("tools/call add", Span.SPAN_KIND_SERVER)
    assert attributes(span) == {
        "mcp.method.name": "tools/call",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "add",
        "network.transport": "tcp",
        "mcp_gateway.call": "c-1",
        "mcp_gateway.server": "github",
        "mcp_gateway.outcome": "ok",
    }
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert span.end_time_unix_nano - span.start_time_unix_nano == 250_000_000


@pytest.mark.requirement("operations:spans")
async def test_its_parent_is_the_callers_span_and_its_id_what_the_upstream_is_told(
    collected: Collector,
) -> None:
    span = await exported(collected, calls.resolved(trace=f"00-{TRACE}-{PARENT}-01"))

    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert span.span_id.hex() == span_of("c-1")


@pytest.mark.parametrize("trace", ["", begun("c-1")])
async def test_a_call_of_no_trace_is_the_root_of_its_own(collected: Collector, trace: str) -> None:
    span = await exported(collected, calls.resolved(trace=trace))

    assert span.parent_span_id == b""
    assert f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01" == begun("c-1")


@pytest.mark.parametrize(
    ("outcome", "error"), [("error", "tool_error"), ("throttled", "throttled"), ("x" * 99, "other")]
)
async def test_what_failed_says_so_in_few_words(
    collected: Collector, outcome: str, error: str
) -> None:
    span = await exported(collected, calls.resolved(), outcome)

    assert attributes(span)["error.type"] == error
    assert span.status.code == Status.STATUS_CODE_ERROR


async def test_a_prompt_has_a_name_of_its_own(collected: Collector) -> None:
    span = await exported(collected, calls.resolved(calls.GREET, method="prompts/get"))

    assert attributes(span)["gen_ai.prompt.name"] == "greet"
    assert "gen_ai.operation.name" not in attributes(span)


@pytest.mark.requirement("operations:spans")
async def test_what_a_caller_made_up_or_may_not_know_stands_in_no_span(
    collected: Collector,
) -> None:
    world = calls.snapshot(policy=FakePolicy(HIDDEN))
    span = await exported(
        collected, calls.resolved(calls.DELETE, snapshot=world, method="x/made-up"), "forbidden"
    )

    assert span.name == "other"
    assert "delete_repo" not in str(span)
    assert "made-up" not in str(span)


async def test_a_caller_who_samples_nothing_is_followed(collected: Collector) -> None:
    async with exporting(collected.url) as observer:
        observer.ended(calls.resolved(trace=f"00-{TRACE}-{PARENT}-00"), "ok", 0.1)

    assert collected.spans == []


@pytest.mark.requirement("operations:an-exporter-costs-no-call")
@pytest.mark.parametrize("answers", [True, False], ids=["refuses", "never answers"])
async def test_a_collector_that_is_away_slows_no_call_and_holds_up_no_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, answers: bool
) -> None:
    monkeypatch.setattr(spans, "WAITING", 600)
    monkeypatch.setattr(spans, "CLOSING", 0.3)
    monkeypatch.setattr(spans, "SENDING", 1.0)
    caplog.set_level(logging.CRITICAL, "opentelemetry")
    with collector(answers=answers) as to:
        before = set(threading.enumerate())
        url = "http://127.0.0.1:9/v1/traces" if answers else to.url
        observer, call = Spans(url), calls.resolved()
        work = time.thread_time()
        for _ in range(2000):
            observer.ended(call, "ok", 0.1)
        each = (time.thread_time() - work) / 2000
        closing = time.perf_counter()
        await observer.aclose()
        took = time.perf_counter() - closing
        to.answering.set()
        for thread in set(threading.enumerate()) - before:
            await asyncio.to_thread(thread.join, 10)

    assert each < 0.002
    assert took < 2
