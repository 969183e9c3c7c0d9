"""OpenAI's Responses API, as much of it as Codex speaks to a scripted model."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tests.support.runtimes.script import Script

Event = Mapping[str, Any]
NAMESPACE: Final = "mcp__gateway"
_USAGE: Final = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}


async def answer(script: Script, body: Mapping[str, Any]) -> Iterator[Event]:
    """The events of the model's turn."""
    shown = _results(body)
    asked = await script.next(shown)
    if asked is None:
        said = {"type": "output_text", "text": "Done."}
        return _events({"type": "message", "id": "m", "role": "assistant", "content": [said]})
    step, arguments = asked
    call = {
        "type": "function_call",
        "id": f"f-{len(shown)}",
        "call_id": f"call-{len(shown)}",
        "namespace": NAMESPACE,
        "name": step.tool.replace("-", "_"),
        "arguments": json.dumps(arguments),
    }
    return _events(call)


def _results(body: Mapping[str, Any]) -> Sequence[str]:
    outputs = [i["output"] for i in body["input"] if i.get("type") == "function_call_output"]
    return [
        output if isinstance(output, str) else "\n".join(part["text"] for part in output)
        for output in outputs
    ]


def _events(item: Mapping[str, Any]) -> Iterator[Event]:
    yield {"type": "response.created", "response": {"id": "r"}}
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": "response.completed", "response": {"id": "r", "usage": _USAGE}}
