"""The tools that need nothing of their client but its patience."""

import json
from types import MappingProxyType

import anyio
from mcp.server.subscriptions import PromptsListChanged, ToolsListChanged

from tests.conformance.upstream.media import AUDIO, IMAGE, JSON, content, embedded, said, text
from tests.conformance.upstream.tool import Called, Tool, fixed, takes

PAUSE = 0.05
"""Seconds between two messages of a call: long enough that they are told apart."""

WIDE_SCHEMA: JSON = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


async def _log(called: Called, *lines: str) -> None:
    context = called.context
    for number, line in enumerate(lines):
        await anyio.sleep(PAUSE if number else 0)
        await context.session.send_log_message(
            level="info", data=line, logger="reference", related_request_id=context.request_id
        )


async def _log_thrice(called: Called) -> JSON:
    await _log(called, "Tool execution started", "Tool processing data", "Tool execution completed")
    return said("Three messages were logged.")


async def _log_once(called: Called) -> JSON:
    await _log(called, "One log message")
    return said("One message was logged, for who asked for it.")


async def _progress(called: Called) -> JSON:
    for step in (0, 50, 100):
        await anyio.sleep(PAUSE if step else 0)
        await called.context.session.report_progress(step, 100, f"Completed step {step} of 100")
    return said("Progress was reported.")


async def _reconnection(called: Called) -> JSON:
    """Answers after the stream of the call was closed, for who comes back for it (SEP-1699)."""
    if called.context.close_sse_stream is not None:
        await called.context.close_sse_stream()
    await anyio.sleep(0.2)
    return said("This was answered after the stream was closed.")


async def _echo(called: Called) -> JSON:
    return said(json.dumps(called.arguments))


async def _region(called: Called) -> JSON:
    return said(f"region={called.arguments.get('region')}")


async def _greet(called: Called) -> JSON:
    return said(f"Hello, {called.arguments['name']}!")


async def _tools_changed(called: Called) -> JSON:
    await called.context.lifespan_context.bus.publish(ToolsListChanged())
    await called.context.session.send_tool_list_changed()  # to a session, where there is one
    return said("It was announced.")


async def _prompts_changed(called: Called) -> JSON:
    await called.context.lifespan_context.bus.publish(PromptsListChanged())
    await called.context.session.send_prompt_list_changed()  # to a session, where there is one
    return said("It was announced.")


_MIXED = content(
    text("Multiple content types test:"),
    IMAGE,
    embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
)
_EMBEDDED = content(
    embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")
)
_REGION = takes(region={"type": "string", "x-mcp-header": "Region"}, query={"type": "string"})
TOOLS = MappingProxyType(
    {
        "test_simple_text": fixed(
            "Answers a text", said("This is a simple text response for testing.")
        ),
        "test_image_content": fixed("Answers an image", content(IMAGE)),
        "test_audio_content": fixed("Answers a sound", content(AUDIO)),
        "test_embedded_resource": fixed("Answers a resource", _EMBEDDED),
        "test_multiple_content_types": fixed("Answers text, image and resource", _MIXED),
        "test_error_handling": fixed(
            "Always fails",
            said("This tool intentionally returns an error for testing", isError=True),
        ),
        "test_tool_with_logging": Tool("Logs three messages", _log_thrice),
        "test_logging_tool": Tool("Logs a message for who asked for it", _log_once),
        "test_tool_with_progress": Tool("Reports its progress", _progress),
        "test_reconnection": Tool("Closes its stream before it answers", _reconnection),
        "json_schema_2020_12_tool": Tool(
            "Has a schema of the wider vocabulary", _echo, WIDE_SCHEMA
        ),
        "test_custom_header": Tool("Has its region in a header too", _region, _REGION),
        "test_trigger_tool_change": Tool("Announces other tools", _tools_changed),
        "test_trigger_prompt_change": Tool("Announces other prompts", _prompts_changed),
        "greet": Tool("Greets", _greet, takes("name", name={"type": "string"})),
    }
)
