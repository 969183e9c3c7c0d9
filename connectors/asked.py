"""Asked: whether the result of a modern upstream asks something, and what."""

from collections.abc import Mapping
from typing import Final

import msgspec

from connectors import requests
from mcp_gateway.core.asking import ASKING, QUESTIONS, TASKS, Asked, Question
from mcp_gateway.core.body import Result
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.canonical import strict

MOST: Final = 32
"""Questions in one result."""

_WHOLE: Final = "complete"
_ASKING: Final = "input_required"
_TASK: Final = "task"
_NONE: Final = msgspec.Raw()


class _Kind(msgspec.Struct, rename="camel"):
    """The members that tell; the others are skipped, not decoded."""

    result_type: str = _WHOLE
    input_requests: msgspec.Raw = _NONE
    request_state: str = ""


class _Entry(msgspec.Struct):
    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")


_KIND: Final = msgspec.json.Decoder(_Kind)
_ENTRIES: Final = msgspec.json.Decoder(dict[str, _Entry])


def result(server: str, method: str, answer: jsonrpc.Message) -> Result:
    """The answer of a modern upstream to a request of a caller's. Raises UpstreamFailed."""
    raw, failed = requests.answered(answer, server)
    if failed:
        return jsonrpc.body(raw, failed=True)
    return jsonrpc.body(raw, asked=of(server, method, raw))


def of(server: str, method: str, raw: bytes) -> Asked | None:
    """What a result asks; None for one that is whole.

    A task, and whatever is said of one, holds a handle at least: it is asked with no questions.
    Raises UpstreamFailed for a result that asks where none may, or not as it must.
    """
    try:
        kind = _KIND.decode(raw)
        if kind.result_type == _ASKING or method in TASKS:
            strict(raw)  # whoever reads it next reads the same
            return _asked(method, kind) if kind.result_type == _ASKING else _of_task(kind)
        if kind.result_type == _TASK:
            return Asked({})
        if kind.result_type == _WHOLE and kind.input_requests is not _NONE:
            # Of two equal names the last one counts here: elsewhere it may be the first.
            raise ValueError("a result that is whole asks")
    except (ValueError, RecursionError) as error:
        raise UpstreamFailed(f"{server} asks as nobody can answer: {error}") from None
    return None


def _of_task(kind: _Kind) -> Asked:
    return Asked(_questions(kind.input_requests))


def _asked(method: str, kind: _Kind) -> Asked:
    if method not in ASKING:
        raise ValueError(f"the result of {method} may not ask")
    questions = _questions(kind.input_requests)
    if not questions and not kind.request_state:
        raise ValueError("there are no questions, and no state to come back with")
    return Asked(questions, kind.request_state)


def _questions(raw: msgspec.Raw) -> Mapping[str, Question]:
    """By key. Raises ValueError."""
    if raw is _NONE:
        return {}
    entries = _ENTRIES.decode(raw)
    if len(entries) > MOST:
        raise ValueError(f"there are {len(entries)} questions; at most {MOST} are passed on")
    return {key: _question(entry) for key, entry in entries.items()}


def _question(entry: _Entry) -> Question:
    params = bytes(entry.params)
    if entry.method not in QUESTIONS:
        raise ValueError("a question is for elicitation, sampling or roots")
    if params[:1] != b"{":
        raise ValueError("the parameters of a question are an object")
    return Question(entry.method, params)
