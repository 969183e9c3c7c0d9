"""What an upstream is answered when it asks."""

from typing import Any

import pytest

from connectors import abilities
from connectors.asked_back import reply, unclear
from mcp_gateway.wire import jsonrpc


def answered(raw: bytes) -> dict[str, object]:
    said = reply(jsonrpc.parse(raw))
    assert said is not None
    return dict(jsonrpc.decode(said))


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


def asked(method: str, params: Any) -> jsonrpc.Message:
    return jsonrpc.parse(jsonrpc.request(b"7", method, jsonrpc.encode(params)))


ADDRESS = {"mode": "url", "message": "Connect", "url": "https://accounts.example/connect"}


@pytest.mark.parametrize(
    ("method", "params", "able"),
    [
        ("elicitation/create", {"message": "?"}, {abilities.FORM}),
        ("elicitation/create", {"mode": "form", "message": "?"}, {abilities.FORM}),
        ("elicitation/create", ADDRESS, {abilities.URL}),
        ("elicitation/create", {**ADDRESS, "url": "http://localhost:1/x"}, {abilities.URL}),
        ("elicitation/create", {**ADDRESS, "url": "http://[::1]/x"}, {abilities.URL}),
        ("sampling/createMessage", {}, {abilities.SAMPLING}),
        ("sampling/createMessage", {"tools": []}, {abilities.SAMPLING, abilities.TOOLS}),
        ("roots/list", {}, {abilities.ROOTS}),
    ],
)
def test_a_question_that_the_client_can_answer_is_asked(
    method: str, params: Any, able: set[str]
) -> None:
    assert reply(asked(method, params), frozenset(able)) is None


@pytest.mark.parametrize(
    ("method", "params", "able", "code"),
    [
        ("elicitation/create", {}, set(), -32601),
        ("elicitation/create", {}, {abilities.ROOTS}, -32601),
        ("sampling/createMessage", {}, {abilities.FORM}, -32601),
        ("roots/list", {}, {abilities.SAMPLING}, -32601),
        ("tasks/get", {}, abilities.ALL, -32601),
        ("elicitation/create", {}, {abilities.URL}, -32602),
        ("elicitation/create", ADDRESS, {abilities.FORM}, -32602),
        ("elicitation/create", {"mode": "voice"}, abilities.ALL, -32602),
        ("elicitation/create", {"mode": ["form"]}, abilities.ALL, -32602),
        ("elicitation/create", {**ADDRESS, "url": "http://example.com/"}, abilities.ALL, -32602),
        ("elicitation/create", {**ADDRESS, "url": "javascript:alert(1)"}, abilities.ALL, -32602),
        ("elicitation/create", {**ADDRESS, "url": "data:text/html,x"}, abilities.ALL, -32602),
        ("elicitation/create", {**ADDRESS, "url": "file:///etc/passwd"}, abilities.ALL, -32602),
        ("elicitation/create", {**ADDRESS, "url": 7}, abilities.ALL, -32602),
        ("elicitation/create", {"mode": "url"}, abilities.ALL, -32602),
        ("sampling/createMessage", {"tools": []}, {abilities.SAMPLING}, -32602),
    ],
)
@pytest.mark.requirement("questions:only-what-was-declared")
def test_one_that_it_cannot_is_refused_and_the_upstream_told(
    method: str, params: Any, able: set[str], code: int
) -> None:
    said = reply(asked(method, params), frozenset(able))

    assert said is not None
    assert jsonrpc.decode(said)["error"]["code"] == code


def test_one_of_which_nobody_can_tell_whose_it_is_is_refused() -> None:
    refusal = jsonrpc.decode(unclear(asked("roots/list", {})))

    assert (refusal["id"], refusal["error"]["code"]) == (7, -32603)
