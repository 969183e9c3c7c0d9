"""What the gateway answers an upstream that asks it something, without asking anybody."""

from typing import Final

from connectors import abilities
from connectors.abilities import Abilities
from connectors.urls import visitable
from mcp_gateway.core.asking import QUESTIONS
from mcp_gateway.wire import jsonrpc

UNCLEAR: Final = "several calls are under way, and nothing says which of them asks"


def reply(message: jsonrpc.Message, able: Abilities = abilities.NONE) -> bytes | None:
    """The answer to a ping, or why something is not asked; None for what its caller can be asked.

    `able` is what the client of the call that asks can answer.
    """
    if message.method == "ping":
        return jsonrpc.result(message.id, b"{}")
    if message.method not in QUESTIONS or not _any(message.method, able):
        said = f"{message.method} is not offered here"
        return jsonrpc.error(message.id, jsonrpc.METHOD_NOT_FOUND, said)
    if said := _flaw(message, able):
        return jsonrpc.error(message.id, jsonrpc.INVALID_PARAMS, said)
    return None


def unclear(message: jsonrpc.Message) -> bytes:
    """The answer to a question of which nobody can tell whose it is."""
    return jsonrpc.error(message.id, jsonrpc.INTERNAL_ERROR, UNCLEAR)


def _any(method: str, able: Abilities) -> bool:
    name = QUESTIONS[method]
    return name in {path.partition("/")[0] for path in able}


def _flaw(message: jsonrpc.Message, able: Abilities) -> str:
    """What is wrong with a question of a kind that can be asked; empty when nothing is."""
    params = message.params.view()
    if message.method == "sampling/createMessage":
        return "" if "tools" not in params or abilities.TOOLS in able else "no tools can be used"
    if message.method == "elicitation/create":
        mode = params.get("mode", "form")
        if mode not in ("form", "url") or f"elicitation/{mode}" not in able:
            return "the client does not take this mode"
        if mode == "url" and not visitable(params.get("url")):
            return "an address to visit is https, or of the user's own machine"
    return ""
