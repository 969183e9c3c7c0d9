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
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.propagation import set_span_in_context

from mcp_gateway.core.call import Call

CLOSING: Final = 2.0
"""Seconds that the last spans get to be sent."""


class Spans:
    """Implements `ports.Observer`; sending happens on the exporter's own thread."""

    def __init__(self, endpoint: str) -> None:
        resource = Resource.create({"service.name": "mcp-gateway"})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
        self._tracer = self._provider.get_tracer("mcp_gateway")

    def ended(self, call: Call, outcome: str, seconds: float) -> None:
        end = time.time_ns()
        named = call.target.kind in ("tool", "prompt") and call.decision.allowed
        name = f"{call.method} {call.target.name}" if named else call.method
        span = self._tracer.start_span(
            name,
            context=_parent(call.trace),
            kind=SpanKind.SERVER,
            start_time=end - int(seconds * 1e9),
            attributes={"mcp.method.name": call.method, "mcp_gateway.call": call.id},
        )
        if named:
            span.set_attribute("gen_ai.tool.name", call.target.name)
            span.set_attribute("mcp_gateway.server", call.target.server)
        if outcome != "ok":
            span.set_attribute("error.type", outcome)
        span.end(end)

    async def aclose(self) -> None:
        """Sends what is left, within a bound. The thread that does it holds nothing up."""
        sent, loop = asyncio.Event(), asyncio.get_running_loop()

        def send() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # the loop is gone, and nobody waits
                loop.call_soon_threadsafe(sent.set)

        threading.Thread(target=send, name="spans", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSING):
                await sent.wait()


def _parent(traceparent: str) -> Context | None:
    if not traceparent:
        return None
    _, trace, span, flags = traceparent.split("-")
    context = SpanContext(
        int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )
    return set_span_in_context(NonRecordingSpan(context))
