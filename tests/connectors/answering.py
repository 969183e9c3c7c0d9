"""What a caller does who is asked: comes back with the same request, and with answers."""

from typing import Any

from mcp_gateway.core import ports
from mcp_gateway.core.asking import Asked, Resumed
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.modern import META_CAPABILITIES
from tests.support.calls import call

EVERYTHING: dict[str, Any] = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
ANSWERS: dict[str, Any] = {
    "elicitation/create": {"action": "accept", "content": {"name": "Ada"}},
    "sampling/createMessage": {
        "role": "assistant",
        "content": {"type": "text", "text": "Hello"},
        "model": "m",
    },
    "roots/list": {"roots": [{"uri": "file:///work"}]},
}


def able(made: Call, capabilities: dict[str, Any] | None = None) -> Call:
    """The same call of a client that can answer this, in place."""
    said = EVERYTHING if capabilities is None else capabilities
    meta = {**made.params.view().get("_meta", {}), META_CAPABILITIES: said}
    view = {**made.params.view(), "_meta": meta}
    made.params = made.outgoing = jsonrpc.body(jsonrpc.encode(view))
    return made


def asked_of(result: Result) -> Asked:
    assert result.asked is not None, result.raw
    shown = result.view()
    assert shown["resultType"] == "input_required"
    assert shown["inputRequests"].keys() == result.asked.questions.keys()
    return result.asked


def retry(made: Call, responses: dict[str, Any], **changes: Any) -> Call:
    """The request that brings these answers."""
    view = {**made.params.view(), "inputResponses": responses}
    again = call(method=made.method, params=view, **changes)
    again.target, again.credential = made.target, made.credential
    return again


async def answered(
    connector: ports.Connector, made: Call, result: Result, answer: Any = None, **changes: Any
) -> Result:
    """Answers everything that a result asks, and sends it where `forward` would."""
    asked = asked_of(result)
    responses = {
        key: answer or ANSWERS[question.method] for key, question in asked.questions.items()
    }
    again = retry(made, responses, **changes)
    if asked.parked:
        return await asked.parked.resume(again)
    again.resumed = Resumed(parent=made.id, state=asked.state)
    return await connector.send(again)
