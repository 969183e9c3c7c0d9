"""What an upstream is answered when it asks."""

import pytest

from connectors.asked_back import reply
from mcp_gateway.wire import jsonrpc


def answered(raw: bytes) -> dict[str, object]:
    return dict(jsonrpc.decode(reply(jsonrpc.parse(raw))))


def test_a_ping_is_answered() -> None:
    assert answered(b'{"jsonrpc":"2.0","id":"a","method":"ping"}') == {
        "jsonrpc": "2.0",
        "id": "a",
        "result": {},
    }


@pytest.mark.parametrize("method", ["sampling/createMessage", "elicitation/create", 'x"\\n'])
def test_nothing_else_is_offered(method: str) -> None:
    raw = b'{"jsonrpc":"2.0","id":7,"method":%b,"params":{}}' % jsonrpc.encode(method)

    refusal = answered(raw)

    assert refusal["id"] == 7
    assert refusal["error"] == {"code": -32601, "message": f"{method} is not offered here"}
