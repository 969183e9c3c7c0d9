"""What an entry must look like: held against what the official SDK takes."""

from typing import Any

import mcp_types as types
import pytest
from pydantic import BaseModel, ValidationError

from connectors import shapes
from mcp_gateway.core.target import Kind

TOOL = {"name": "t", "inputSchema": {"type": "object"}}
RESOURCE = {"name": "r", "uri": "a://b"}

GOOD: list[tuple[Kind, dict[str, Any]]] = [
    ("tool", TOOL),
    ("tool", {**TOOL, "outputSchema": {"type": "string"}, "title": "T", "x-vendor": {"a": 1}}),
    ("tool", {**TOOL, "annotations": {"readOnlyHint": True, "vendor": 1}, "_meta": {"a/b": 1}}),
    ("tool", {**TOOL, "icons": [{"src": "data:image/png;base64,AA==", "sizes": ["any"]}]}),
    ("tool", {"name": "t", "inputSchema": {"type": "object", "properties": {}, "required": ["a"]}}),
    ("prompt", {"name": "p"}),
    ("prompt", {"name": "p", "arguments": [{"name": "a", "required": True, "description": "x"}]}),
    ("resource", {**RESOURCE, "mimeType": "text/plain", "size": 3, "annotations": {"priority": 1}}),
    ("template", {"name": "r", "uriTemplate": "a://{b}"}),
]

BAD: list[tuple[Kind, Any]] = [
    ("tool", None),
    ("tool", [TOOL]),
    ("tool", {"name": "t"}),
    ("tool", {"inputSchema": {"type": "object"}}),
    ("tool", {**TOOL, "name": 7}),
    ("tool", {**TOOL, "inputSchema": None}),
    ("tool", {**TOOL, "inputSchema": {}}),
    ("tool", {**TOOL, "inputSchema": {"type": "array"}}),
    ("tool", {**TOOL, "inputSchema": {"type": "object", "properties": []}}),
    ("tool", {**TOOL, "inputSchema": {"type": "object", "required": "a"}}),
    ("tool", {**TOOL, "description": None}),
    ("tool", {**TOOL, "description": ["a"]}),
    ("tool", {**TOOL, "annotations": None}),
    ("tool", {**TOOL, "annotations": {"readOnlyHint": "yes"}}),
    ("tool", {**TOOL, "outputSchema": True}),
    ("tool", {**TOOL, "icons": {}}),
    ("tool", {**TOOL, "icons": [{"sizes": []}]}),
    ("tool", {**TOOL, "_meta": []}),
    ("prompt", {"name": "p", "arguments": {}}),
    ("prompt", {"name": "p", "arguments": [{}]}),
    ("prompt", {"name": "p", "arguments": [{"name": "a", "required": "yes"}]}),
    ("resource", {"name": "r"}),
    ("resource", {"uri": "a://b"}),
    ("resource", {**RESOURCE, "size": "3"}),
    ("resource", {**RESOURCE, "mimeType": 1}),
    ("template", {"name": "r", "uri": "a://b"}),
]

MODELS: dict[Kind, type[BaseModel]] = {
    "tool": types.Tool,
    "prompt": types.Prompt,
    "resource": types.Resource,
    "template": types.ResourceTemplate,
}


@pytest.mark.parametrize(("kind", "item"), GOOD)
def test_what_clients_take_is_taken_whatever_else_it_holds(kind: Kind, item: Any) -> None:
    shapes.check(kind, item)
    MODELS[kind].model_validate(item)


@pytest.mark.parametrize(("kind", "item"), BAD)
@pytest.mark.requirement("definitions:one-bad-entry-costs-itself")
def test_what_a_strict_client_would_choke_on_is_refused(kind: Kind, item: Any) -> None:
    with pytest.raises(ValueError, match=f"not what clients take for a {kind}: "):
        shapes.check(kind, item)


@pytest.mark.parametrize("kind", MODELS)
def test_nothing_that_the_official_sdk_refuses_is_taken(kind: Kind) -> None:
    items = [item for _, item in [*GOOD, *BAD]]
    for item in items:
        try:
            MODELS[kind].model_validate(item)
        except ValidationError:
            with pytest.raises(ValueError, match="not what clients take"):
                shapes.check(kind, item)
