"""Which results of a modern upstream ask, and what."""

import json
from typing import Any

import pytest

from connectors import asked
from mcp_gateway.core.asking import ASKING, Asked, Question
from mcp_gateway.core.errors import UpstreamFailed

ROOTS = {"method": "roots/list"}
FORM = {"method": "elicitation/create", "params": {"message": "Who?", "mode": "form"}}


def of(result: Any, method: str = "tools/call") -> Asked | None:
    raw = result if isinstance(result, bytes) else json.dumps(result).encode()
    return asked.of("up", method, raw)


def asking(**members: Any) -> dict[str, Any]:
    return {"resultType": "input_required", **members}


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b'{"resultType":"complete","content":[{"text":"input_required"}]}',
        b'{"content":[{"resultType":"input_required","inputRequests":{}}]}',
        b'{"structuredContent":{"inputRequests":{}},"resultType":"complete"}',
        b'{"resultType":"of an extension","inputRequests":{"x":1}}',
    ],
)
@pytest.mark.requirement("questions:asked-is-decided-once")
def test_a_whole_result_asks_nothing_whatever_stands_in_it(raw: bytes) -> None:
    assert of(raw) is None


@pytest.mark.parametrize("method", sorted(ASKING))
@pytest.mark.requirement("questions:asked-is-decided-once")
def test_what_is_asked_is_known_by_key_and_its_parameters_stay_as_they_came(method: str) -> None:
    raw = (
        b'{"inputRequests":{"who":{"method":"elicitation/create","params":{"a" : 1.0}},'
        b'"where":{"method":"roots/list"}},"requestState":"its own","resultType":"input_required"}'
    )

    assert of(raw, method) == Asked(
        {
            "who": Question("elicitation/create", b'{"a" : 1.0}'),
            "where": Question("roots/list", b"{}"),
        },
        "its own",
    )


@pytest.mark.requirement("questions:asked-is-decided-once")
def test_an_escaped_name_or_value_hides_no_question() -> None:
    raw = b'{"result\\u0054ype":"input\\u005frequired","input\\u0052equests":{"a":%b}}' % (
        json.dumps(FORM).encode()
    )

    found = of(raw)

    assert found is not None
    assert set(found.questions) == {"a"}


def test_a_state_alone_asks_to_come_back() -> None:
    assert of(asking(requestState="later")) == Asked({}, "later")


@pytest.mark.parametrize(
    ("method", "result"),
    [("tools/call", {"resultType": "task", "taskId": "t"}), ("tasks/get", {"taskId": "t"})],
)
def test_a_task_is_a_handle_without_questions(method: str, result: dict[str, Any]) -> None:
    assert of(result, method) == Asked({})


def test_a_task_that_waits_for_its_caller_asks() -> None:
    found = of(
        {"taskId": "t", "status": "input_required", "inputRequests": {"a": ROOTS}}, "tasks/get"
    )

    assert found == Asked({"a": Question("roots/list")})


@pytest.mark.parametrize("method", ["completion/complete", "tools/list", "x/y"])
def test_a_result_of_another_method_may_not_ask(method: str) -> None:
    with pytest.raises(UpstreamFailed, match="may not ask"):
        of(asking(inputRequests={"a": ROOTS}), method)


@pytest.mark.parametrize(
    "result",
    [
        asking(),
        asking(inputRequests={}),
        asking(inputRequests=None, requestState="x"),
        asking(inputRequests=[ROOTS]),
        asking(inputRequests={"a": 7}),
        asking(inputRequests={"a": {"params": {}}}),
        asking(inputRequests={"a": {**ROOTS, "params": []}}),
        asking(inputRequests={"a": {"method": "tools/call", "params": {}}}),
        asking(inputRequests={str(n): ROOTS for n in range(asked.MOST + 1)}),
        asking(inputRequests={"a": ROOTS}, requestState=7),
        b'{"resultType":"complete","inputRequests":{"a":{"method":"roots/list"}},"resultType":"input_required"}',
        b'{"resultType":"input_required","inputRequests":{"a":{"method":"sampling/createMessage"},"a":{"method":"roots/list"}}}',
        b'{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list","params":{"x":1,"x":2}}}}',
        {"resultType": None},
        {"resultType": "complete", "inputRequests": {"a": ROOTS}},
        b'{"inputRequests":{"a":{"method":"roots/list"}},"resultType":"input_required","resultType":"complete"}',
    ],
)
@pytest.mark.requirement("questions:asked-is-decided-once")
def test_what_asks_as_nobody_can_answer_is_the_upstreams_failure(result: Any) -> None:
    with pytest.raises(UpstreamFailed, match="up asks as nobody can answer"):
        of(result)
