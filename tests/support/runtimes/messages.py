"""Anthropic's Messages API, as much of it as Claude Code speaks to a scripted model."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tests.support.runtimes.script import Script

Event = Mapping[str, Any]
PREFIX: Final = "mcp__gateway__"
SEARCH: Final = "ToolSearch"
_USAGE: Final = {"input_tokens": 1, "output_tokens": 1}


async def answer(script: Script, body: Mapping[str, Any]) -> Iterator[Event]:
    """The events of the model's turn. A request without tools is about something else."""
    if not body.get("tools"):
        return _events({"type": "text", "text": "A title"}, "end_turn")
    results = _results(body)
    asked = await script.next([r for id_, r in results if not id_.startswith(SEARCH)])
    if asked is None:
        return _events({"type": "text", "text": "Done."}, "end_turn")
    step, arguments = asked
    name, number = PREFIX + step.tool, len(results)
    offered = {tool["name"] for tool in body["tools"]}
    search = f"{SEARCH}-{step.tool}"
    # Claude Code names its MCP tools only, and loads the schema of one that the model asks for.
    if name not in offered and SEARCH in offered and search not in dict(results):
        return _events(_use(search, SEARCH, {"query": f"select:{name}"}), "tool_use")
    return _events(_use(f"call-{number}", name, arguments), "tool_use")


def _use(id_: str, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "tool_use", "id": id_, "name": name, "input": arguments}


def _results(body: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """(id of the call, what was shown) of each result so far."""
    return [
        (block["tool_use_id"], _text(block.get("content", "")))
        for message in body["messages"]
        if isinstance(message["content"], list)
        for block in message["content"]
        if block["type"] == "tool_result"
    ]


def _text(content: str | list[Mapping[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block.get("text", "") for block in content)


def _events(block: Mapping[str, Any], why: str) -> Iterator[Event]:
    message = {"id": "m", "type": "message", "role": "assistant", "model": "scripted"}
    yield {
        "type": "message_start",
        "message": {**message, "content": [], "stop_reason": None, "usage": _USAGE},
    }
    empty = {**block, "input": {}} if block["type"] == "tool_use" else {**block, "text": ""}
    yield {"type": "content_block_start", "index": 0, "content_block": empty}
    yield {"type": "content_block_delta", "index": 0, "delta": _delta(block)}
    yield {"type": "content_block_stop", "index": 0}
    yield {"type": "message_delta", "delta": {"stop_reason": why}, "usage": _USAGE}
    yield {"type": "message_stop"}


def _delta(block: Mapping[str, Any]) -> Mapping[str, Any]:
    if block["type"] == "text":
        return {"type": "text_delta", "text": block["text"]}
    return {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
