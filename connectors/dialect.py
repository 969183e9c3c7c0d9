"""What an upstream of the initialize era answers, in the dialect of the core."""

from typing import Any, Final

import msgspec

from connectors import requests
from connectors.urls import visitable
from mcp_gateway.core.asking import ASKING, Asked, Question
from mcp_gateway.core.body import Result
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.wire import jsonrpc, legacy

ELICIT: Final = "elicitation/create"
LISTS: Final = frozenset(
    f"notifications/{name}/list_changed" for name in ("prompts", "resources", "tools")
)
ANNOUNCED: Final = LISTS | {
    "notifications/resources/updated",
    "notifications/subscriptions/acknowledged",
    "notifications/tasks",
    "notifications/tasks/status",
}
"""What is about no request, on whatever stream an upstream says it."""
UNTOLD: Final = frozenset({"notifications/cancelled", "notifications/elicitation/complete"})
"""What is about requests of the upstream's own."""
MOST: Final = 32
"""Addresses that one error asks to visit."""


def result(server: str, method: str, answer: jsonrpc.Message) -> Result:
    """The answer to a request of a caller's. Raises UpstreamFailed for what is none."""
    raw, failed = requests.answered(answer, server)
    if not failed:
        return jsonrpc.body(legacy.result_to_modern(method, raw))
    if method in ASKING and b"-32042" in raw:
        return _addresses(server, raw) or jsonrpc.body(raw, failed=True)
    return jsonrpc.body(raw, failed=True)


def asking(key: str, question: Question, asked: Asked) -> Result:
    """The result that asks one question."""
    return _asking({key: question}, asked)


def question(message: jsonrpc.Message) -> Question:
    """A request of the upstream's as 2026-07-28 has it: an address has no id."""
    params = message.params.raw
    if message.method == ELICIT and "elicitationId" in message.params.view():
        params = jsonrpc.replaced(params, {"elicitationId": None})
    return Question(message.method, params)


def key_of(method: str, number: int) -> str:
    """What a question is called by, since before 2026-07-28 it had no name: `elicitation-1`."""
    return f"{method.partition('/')[0]}-{number}"


def _asking(questions: dict[str, Question], asked: Asked) -> Result:
    requested = {
        key: {"method": question.method, "params": msgspec.Raw(question.params)}
        for key, question in questions.items()
    }
    shown = {"resultType": "input_required", "inputRequests": requested}
    return jsonrpc.body(jsonrpc.encode(shown), asked=asked)


def _addresses(server: str, raw: bytes) -> Result | None:
    """-32042 as a result that asks to visit addresses: whoever comes back calls again.

    Nobody waits at the upstream, so nothing is parked. Raises UpstreamFailed for addresses to
    which nobody should be sent.
    """
    error = jsonrpc.decode(raw)
    if error["code"] != legacy.URL_ELICITATION:
        return None
    data = error.get("data")
    listed = data.get("elicitations") if isinstance(data, dict) else None
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST:
        raise UpstreamFailed(f"{server} wants an address visited, and names none")
    questions = {
        key_of(ELICIT, number): Question(ELICIT, _address(server, entry))
        for number, entry in enumerate(listed, 1)
    }
    return _asking(questions, Asked(questions))


def _address(server: str, entry: Any) -> bytes:
    if not isinstance(entry, dict) or not visitable(entry.get("url")):
        raise UpstreamFailed(f"{server} wants an address visited to which nobody is sent")
    message = entry.get("message")
    words = message if isinstance(message, str) else ""
    return jsonrpc.encode({"mode": "url", "message": words, "url": entry["url"]})
