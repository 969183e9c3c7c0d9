"""What the official schema of 2025-12-11 asks of a server.json, for a second reader of it.

It is written anew from what that schema asks for, as far as servers with remotes go; packages and
icons are left out. Where the model of the connectors is stricter, this is not.
"""

from collections.abc import Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator

_TEXT: Final = {"type": "string"}
_FLAG: Final = {"type": "boolean"}
_INPUT: Final = {
    "type": "object",
    "properties": {
        "description": _TEXT,
        "isRequired": _FLAG,
        "isSecret": _FLAG,
        "format": {"enum": ["string", "number", "boolean", "filepath"]},
        "value": _TEXT,
        "default": _TEXT,
        "placeholder": _TEXT,
        "choices": {"type": "array", "items": _TEXT},
    },
}
_HEADER: Final = {"allOf": [_INPUT, {"required": ["name"], "properties": {"name": _TEXT}}]}
_REMOTE: Final = {
    "type": "object",
    "required": ["type", "url"],
    "properties": {
        "type": {"enum": ["streamable-http", "sse"]},
        "url": {"type": "string", "pattern": r"^https?://[^\s]+$"},
        "headers": {"type": "array", "items": _HEADER},
        "variables": {"type": "object", "additionalProperties": _INPUT},
    },
}
FORM: Final = {
    "type": "object",
    "required": ["name", "description", "version"],
    "properties": {
        "$schema": _TEXT,
        "name": {
            "type": "string",
            "minLength": 3,
            "maxLength": 200,
            "pattern": r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$",
        },
        "title": {"type": "string", "minLength": 1, "maxLength": 100},
        "description": {"type": "string", "minLength": 1, "maxLength": 100},
        "version": {"type": "string", "maxLength": 255},
        "websiteUrl": _TEXT,
        "remotes": {"type": "array", "items": _REMOTE},
        "_meta": {"type": "object"},
    },
}


def faults(content: Mapping[str, Any]) -> list[str]:
    """What the schema has against it."""
    return [error.message for error in Draft202012Validator(FORM).iter_errors(content)]
