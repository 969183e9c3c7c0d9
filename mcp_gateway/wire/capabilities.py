"""Capabilities: what a client says that it can be asked."""

from collections.abc import Mapping
from typing import Any

from mcp_gateway.core.asking import QUESTIONS
from mcp_gateway.core.call import Call
from mcp_gateway.wire import jsonrpc, modern


def declared(call: Call) -> Mapping[str, Any]:
    """What this request says, or its session said once. Nothing where that cannot be read."""
    if call.declared is not None:
        return _object(jsonrpc.decode(call.declared.capabilities))
    meta = _object(call.params.view().get("_meta"))
    return _object(meta.get(modern.META_CAPABILITIES))


def unable_to_wait(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a client would have to declare to be given tasks; empty when it has."""
    extensions = _object(said.get("extensions"))
    able = isinstance(extensions.get(modern.TASKS), dict)
    return {} if able else {"extensions": {modern.TASKS: {}}}


def missing(said: Mapping[str, Any], method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a client would have to declare besides, to be asked this; empty when it may be."""
    name = QUESTIONS[method]
    inner = _needed(name, params)
    given = said.get(name)
    if not isinstance(given, dict):
        return {name: {part: {} for part in inner}}
    if name == "elicitation" and not given.keys() & {"form", "url"}:
        given = {**given, "form": {}}  # so it was before there were addresses
    lacking: dict[str, Any] = {part: {} for part in inner if part not in given}
    return {name: lacking} if lacking else {}


def _needed(name: str, params: Mapping[str, Any]) -> tuple[str, ...]:
    """The parts of a capability that a question is about."""
    if name == "elicitation":
        return (str(params.get("mode") or "form"),)
    if name == "sampling" and ("tools" in params or "toolChoice" in params):
        return ("tools",)
    return ()


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
