"""What the gateway itself offers: its tools, and its skills as resources and prompts."""

import mimetypes
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from connectors.definitions import define
from mcp_gateway.core.snapshot import GATEWAY
from mcp_gateway.core.target import Definition, Kind
from mcp_gateway.services.catalog import connect_name
from skills import Skill

ALWAYS: Final = {"anthropic/alwaysLoad": True}
READ_ONLY: Final = {"readOnlyHint": True, "openWorldHint": False}

TOOLS: Final[Sequence[Mapping[str, Any]]] = (
    {
        "name": "whoami",
        "description": "As whom you act at this gateway: subject, roles, scopes, client, mode.",
        "inputSchema": {"type": "object", "properties": {}},
        "annotations": READ_ONLY,
        "_meta": ALWAYS,
    },
    {
        "name": "explain_denial",
        "description": "Why one of your own calls was refused: the rule that decided, by call id.",
        "inputSchema": {
            "type": "object",
            "properties": {"call": {"type": "string", "description": "The call id"}},
            "required": ["call"],
        },
        "annotations": READ_ONLY,
        "_meta": ALWAYS,
    },
    {
        "name": "request_access",
        "description": "Ask an administrator for access to a target that you were denied.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "target": {"type": "string", "description": "As the refusal names it"},
                "reason": {"type": "string", "description": "What for, in one sentence"},
            },
            "required": ["target", "reason"],
        },
        "annotations": {"readOnlyHint": False, "destructiveHint": False, "openWorldHint": False},
        "_meta": ALWAYS,
    },
)


def definitions(skills: Sequence[Skill], operations: Sequence[str]) -> Sequence[Definition]:
    """Everything of the gateway's own, as definitions."""
    found = [_defined("tool", tool) for tool in TOOLS]
    for skill in skills:
        found += [_defined("resource", entry) for entry in _resources(skill)]
        prompt = {"name": skill.name, "description": skill.description}
        found.append(_defined("prompt", prompt))
    found += [_defined("operation", {"name": name}) for name in operations]
    return found


def connecting(servers: Iterable[str]) -> Sequence[Definition]:
    """The tools by which a runtime has its person connect these servers."""
    return [_defined("tool", _connect(server)) for server in servers]


def _connect(server: str) -> Mapping[str, Any]:
    said = f"Connect {server} to you: it gives an address for you to open. Its tools follow."
    return {
        "name": connect_name(server),
        "description": said,
        "inputSchema": {"type": "object", "properties": {}},
        "annotations": {"readOnlyHint": False, "destructiveHint": False, "openWorldHint": True},
        "_meta": ALWAYS,
    }


def uri_of(skill: Skill, path: str) -> str:
    return f"skill://{skill.name}/{path}"


def media_of(path: str) -> str:
    """The media type of a file of a skill, by its name."""
    return mimetypes.guess_type(path)[0] or "application/octet-stream"


def _resources(skill: Skill) -> list[dict[str, Any]]:
    return [
        {
            "uri": uri_of(skill, path),
            "name": f"{skill.name}/{path}",
            "description": skill.description,
            "mimeType": media_of(path),
            "size": len(content),
        }
        for path, content in skill.files.items()
    ]


def _defined(kind: Kind, item: Mapping[str, Any]) -> Definition:
    """Like an upstream's. An operation, which no protocol lists, is read as a prompt is."""
    if kind != "operation":
        return define(GATEWAY, kind, dict(item))
    made = define(GATEWAY, "prompt", dict(item))
    return replace(made, kind=kind, digest=f"{made.digest}#{kind}")
