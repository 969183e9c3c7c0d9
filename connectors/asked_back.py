"""What the gateway answers an upstream that asks it something."""

from mcp_gateway.wire import jsonrpc


def reply(message: jsonrpc.Message) -> bytes:
    """Whoever is there answers a ping; nothing else is offered to upstreams in this version."""
    if message.method == "ping":
        return jsonrpc.result(message.id, b"{}")
    said = f"{message.method} is not offered here"
    return jsonrpc.error(message.id, jsonrpc.METHOD_NOT_FOUND, said)
