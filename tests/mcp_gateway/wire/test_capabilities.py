from typing import Any

import pytest

from mcp_gateway.core.asking import Declared
from mcp_gateway.wire import capabilities, modern
from tests.support.calls import call

ELICIT, SAMPLE, ROOTS = "elicitation/create", "sampling/createMessage", "roots/list"
URL = {"mode": "url", "url": "https://example.com"}


@pytest.mark.parametrize(
    ("said", "method", "params", "missing"),
    [
        ({"elicitation": {}}, ELICIT, {}, {}),
        ({"elicitation": {}}, ELICIT, {"mode": "form"}, {}),
        ({"elicitation": {"form": {}}}, ELICIT, {}, {}),
        ({"elicitation": {"form": {}, "url": {}}}, ELICIT, URL, {}),
        ({"elicitation": {}}, ELICIT, URL, {"elicitation": {"url": {}}}),
        ({"elicitation": {"url": {}}}, ELICIT, {}, {"elicitation": {"form": {}}}),
        ({"sampling": {}}, ELICIT, {}, {"elicitation": {"form": {}}}),
        ({"elicitation": True}, ELICIT, {}, {"elicitation": {"form": {}}}),
        ({"sampling": {}}, SAMPLE, {}, {}),
        ({"sampling": {}}, SAMPLE, {"tools": []}, {"sampling": {"tools": {}}}),
        ({"sampling": {"tools": {}}}, SAMPLE, {"toolChoice": {}}, {}),
        ({}, SAMPLE, {}, {"sampling": {}}),
        ({"roots": {"listChanged": True}}, ROOTS, {}, {}),
        ({}, ROOTS, {}, {"roots": {}}),
    ],
)
@pytest.mark.requirement("questions:need-a-capability")
def test_what_a_client_would_have_to_declare(
    said: Any, method: str, params: Any, missing: Any
) -> None:
    assert capabilities.missing(said, method, params) == missing


def test_a_request_of_2026_says_what_its_client_can() -> None:
    meta: dict[str, Any] = {modern.META_CAPABILITIES: {"roots": {}}}

    assert capabilities.declared(call(params={"name": "x", "_meta": meta})) == {"roots": {}}


def test_a_session_says_it_once_and_its_requests_do_not_say_more() -> None:
    meta: dict[str, Any] = {modern.META_CAPABILITIES: {"sampling": {}}}
    made = call(params={"name": "x", "_meta": meta}, declared=Declared(b'{"roots":{}}'))

    assert capabilities.declared(made) == {"roots": {}}


@pytest.mark.parametrize("meta", [None, [], {}, {modern.META_CAPABILITIES: 7}])
def test_who_says_nothing_that_can_be_read_can_answer_nothing(meta: Any) -> None:
    assert capabilities.declared(call(params={"name": "x", "_meta": meta})) == {}


def test_who_can_wait_has_said_so_in_an_object() -> None:
    wanted: dict[str, Any] = {"extensions": {modern.TASKS: {}}}

    assert capabilities.unable_to_wait(wanted) == {}
    for said in ({}, {"extensions": None}, {"extensions": {modern.TASKS: None}}):
        assert capabilities.unable_to_wait(said) == wanted
