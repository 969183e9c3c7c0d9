"""Spans: one a call, under the MCP semantic names, sent by OTLP over HTTP."""

import asyncio
import contextlib
import threading
import time
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
)
from opentelemetry.trace.propagation import set_span_in_context

from mcp_gateway.core.call import Call
from mcp_gateway.telemetry.labels import method_of, outcome_of
from mcp_gateway.wire import trace

CLOSING: Final = 2.0
"""Seconds that the last spans get to be sent."""
SENDING: Final = 5.0
"""Seconds that one export may take."""
EVERY_MS: Final = 1000
WAITING: Final = 4096
"""Spans that wait to be sent; what is more is dropped."""
_ANSWERED: Final = frozenset({"ok", "input_required", "task"})
_NAMES: Final = {"tool": "gen_ai.tool.name", "prompt": "gen_ai.prompt.name"}


class Spans:
    """Implements `ports.Observer`; sending happens on the exporter's own thread.

    A span's id is drawn from the call's, so that it is the one that the upstream was told.
    """

    def __init__(self, endpoint: str) -> None:
        self._ids = _Given()
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": "mcp-gateway"}),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._exporter = OTLPSpanExporter(endpoint, timeout=SENDING)
        self._provider.add_span_processor(
            BatchSpanProcessor(self._exporter, WAITING, schedule_delay_millis=EVERY_MS)
        )
        self._tracer = self._provider.get_tracer("mcp_gateway")

    def ended(self, call: Call, outcome: str, seconds: float) -> None:
        end = time.time_ns()
        method, named = method_of(call), _NAMES.get(call.target.kind)
        known = named and call.decision.allowed
        span = self._tracer.start_span(
            f"{method} {call.target.name}" if known else method,
            context=self._placed(call),
            kind=SpanKind.SERVER,
            start_time=end - int(seconds * 1e9),
            attributes={
                "mcp.method.name": method,
                "network.transport": "tcp",
                "mcp_gateway.call": call.id,
                "mcp_gateway.outcome": outcome_of(outcome),
            },
        )
        if named and known:
            span.set_attribute(named, call.target.name)
            span.set_attribute("mcp_gateway.server", call.target.server)
        if call.method == "tools/call":
            span.set_attribute("gen_ai.operation.name", "execute_tool")
        if outcome not in _ANSWERED:
            _failed(span, outcome)
        span.end(end)

    async def aclose(self) -> None:
        """Sends what is left, within a bound. The thread that does it holds nothing up."""
        sent, loop = asyncio.Event(), asyncio.get_running_loop()

        def send() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # the loop is gone, and nobody waits
                loop.call_soon_threadsafe(sent.set)

        threading.Thread(target=send, name="spans", daemon=True).start()
        try:
            async with asyncio.timeout(CLOSING):
                await sent.wait()
        except TimeoutError:
            self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _placed(self, call: Call) -> Context:
        """Below the caller's span; a call of no trace, or that began one, is the root of it."""
        own = trace.span_of(call.id)
        _, in_trace, parent, flags = (call.trace or trace.begun(call.id)).split("-")
        self._ids.trace, self._ids.span = int(in_trace, 16), int(own, 16)
        if parent == own:
            return Context()
        told = SpanContext(
            self._ids.trace, int(parent, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
        )
        return set_span_in_context(NonRecordingSpan(told), Context())


class _Given(IdGenerator):
    """The ids that were put into it. Used by one thread: that of the event loop."""

    trace = 0
    span = 0

    def generate_trace_id(self) -> int:
        return self.trace

    def generate_span_id(self) -> int:
        return self.span


def _failed(span: Span, outcome: str) -> None:
    """A tool's own error has a name of its own in the conventions; the rest are our refusals."""
    span.set_attribute("error.type", "tool_error" if outcome == "error" else outcome_of(outcome))
    span.set_status(StatusCode.ERROR)
