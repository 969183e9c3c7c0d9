"""What leaves for an MCP upstream."""

from typing import Any

import pytest

from connectors import requests
from mcp_gateway.core.asking import Declared, Resumed
from mcp_gateway.core.errors import InvalidRequest, UpstreamFailed
from mcp_gateway.core.target import Target
from mcp_gateway.wire import jsonrpc, modern
from tests.support.calls import FILES, GREET, README, call

TOOL = Target("tool", "up", "own name")


def made(params: dict[str, Any] | bytes, target: Target = TOOL, method: str = "tools/call") -> Any:
    asked = call(method, params)
    asked.target = target
    return asked


BOTH = pytest.mark.parametrize("params_of", [requests.modern_params, requests.legacy_params])


@BOTH
def test_a_tool_goes_by_the_upstreams_own_name_and_all_else_stays(params_of: Any) -> None:
    raw = b'{"arguments" : {"a":1.0, "b":"\\u00e9"}, "name":"up__own_name", "x":[ 1 ]}'

    sent = jsonrpc.members(params_of(made(raw)))

    assert bytes(sent["name"]) == b'"own name"'
    assert bytes(sent["arguments"]) == b'{"a":1.0, "b":"\\u00e9"}'
    assert bytes(sent["x"]) == b"[ 1 ]"


@BOTH
def test_a_prompt_that_is_completed_goes_by_its_own_name_too(params_of: Any) -> None:
    params = {"ref": {"type": "ref/prompt", "name": "orders__greet"}, "argument": {"name": "a"}}

    sent = jsonrpc.decode(params_of(made(params, GREET, "completion/complete")))

    assert sent["ref"] == {"type": "ref/prompt", "name": "greet"}


@pytest.mark.parametrize("target", [README, FILES, Target("method", "up", "x/y")])
def test_addresses_and_methods_are_nobodys_to_change(target: Target) -> None:
    asked = made({"uri": "repo://site/readme", "name": "as it is"}, target, "resources/read")

    assert requests.legacy_params(asked) == asked.outgoing.raw


def test_what_has_a_name_is_named_in_the_header_too() -> None:
    assert requests.mirrored(made({})) == "own name"
    assert requests.mirrored(made({}, README, "resources/read")) == "repo://site/readme"
    assert requests.mirrored(made({}, FILES, "completion/complete")) == ""


@pytest.mark.requirement("tasks:of-who-began-them")
def test_a_task_goes_by_its_upstreams_own_name_in_the_body_and_the_header() -> None:
    asked = made({"taskId": "t1.sealed", "x": 1}, Target("task", "up", "add"), "tasks/get")
    asked.resumed = Resumed(task="task-7", server="up", tool="add")

    assert requests.mirrored(asked) == "task-7"
    sent = jsonrpc.decode(requests.modern_params(asked))
    assert (sent["taskId"], sent["x"]) == ("task-7", 1)


def test_a_task_of_2025_is_not_asked_for_in_the_name_of_everybody() -> None:
    asked = made({"name": "x", "task": {"ttl": 1}})

    assert "task" not in jsonrpc.decode(requests.legacy_params(asked))


EXTENSIONS = {name: {"a": 1} for name in modern.EXTENSIONS}


@pytest.mark.requirement("capabilities:offered-and-relayed")
def test_of_a_session_no_extension_is_declared_that_could_not_pass() -> None:
    asked = made({"name": "x"})
    asked.declared = Declared(jsonrpc.encode({"extensions": EXTENSIONS}))

    meta = jsonrpc.decode(requests.modern_params(asked))["_meta"]

    assert meta[modern.META_CAPABILITIES] == {"extensions": {modern.UI: {"a": 1}}}


@pytest.mark.parametrize(
    ("declared", "relayed"),
    [
        ({}, {}),
        ({"sampling": {"tools": {}}, "elicitation": {"url": {}}}, ...),
        ({"roots": {"listChanged": True}}, {"roots": {}}),
        ({"sampling": 7, "roots": None, "elicitation": [], "completions": {}}, {}),
        ({"sampling": {"x": "x" * 5000}}, {}),
        ({"extensions": {**EXTENSIONS, "x/y": {}}}, {"extensions": EXTENSIONS}),
        ({"extensions": {"x/y": {}}}, {}),
        ({"extensions": 7}, {}),
        ({"note": "extensions"}, {}),
    ],
)
def test_of_the_callers_capabilities_those_are_declared_that_are_relayed(
    declared: Any, relayed: Any
) -> None:
    meta = {modern.META_CAPABILITIES: declared, modern.META_CLIENT: {"name": "x"}, "a/b": 1}

    sent = jsonrpc.decode(requests.modern_params(made({"name": "x", "_meta": meta})))["_meta"]

    assert sent[modern.META_CAPABILITIES] == (declared if relayed is ... else relayed)
    assert sent[modern.META_VERSION] == modern.REVISION
    assert sent[modern.META_CLIENT] == jsonrpc.decode(requests.CLIENT)
    assert sent["a/b"] == 1


def test_what_a_session_declared_once_is_declared_in_each_request() -> None:
    asked = made({"name": "x", "_meta": {modern.META_CAPABILITIES: {"sampling": {}}}})
    asked.declared = Declared(b'{"elicitation":{},"roots":{"listChanged":true}}')

    sent = jsonrpc.decode(requests.modern_params(asked))["_meta"]

    assert sent[modern.META_CAPABILITIES] == {"elicitation": {}, "roots": {}}


@pytest.mark.parametrize("state", ["of the upstream's", ""])
def test_a_state_goes_back_as_the_upstream_gave_it(state: str) -> None:
    asked = made({"name": "x", "inputResponses": {"a": {}}, "requestState": "sealed"})
    asked.resumed = Resumed(parent="c-0", state=state)

    sent = jsonrpc.decode(requests.modern_params(asked))

    assert sent["inputResponses"] == {"a": {}}
    assert sent.get("requestState", "") == state
    assert "requestState" not in jsonrpc.decode(requests.legacy_params(asked))


def test_without_any_meta_of_the_callers_a_modern_request_has_what_it_needs() -> None:
    sent = jsonrpc.decode(requests.modern_params(made({"name": "x"})))

    assert set(sent["_meta"]) == {
        modern.META_VERSION,
        modern.META_CAPABILITIES,
        modern.META_CLIENT,
    }


@pytest.mark.parametrize("meta", [None, {}, {modern.META_VERSION: "x", modern.META_LOG_LEVEL: "a"}])
def test_of_what_only_today_knows_nothing_is_left_for_older_upstreams(meta: Any) -> None:
    params = {"name": "x"} if meta is None else {"name": "x", "_meta": meta}

    assert jsonrpc.decode(requests.legacy_params(made(params))) == {"name": "own name"}


@BOTH
def test_a_trace_goes_on_as_a_child_of_itself(params_of: Any) -> None:
    asked = made({"name": "x"})
    asked.trace = f"00-{'a' * 32}-{'b' * 16}-01"

    sent = jsonrpc.decode(params_of(asked))["_meta"]["traceparent"]

    assert sent.startswith(f"00-{'a' * 32}-")
    assert "b" * 16 not in sent


@BOTH
def test_a_meta_of_null_is_none_and_any_other_that_is_no_object_is_refused(params_of: Any) -> None:
    assert params_of(made({"name": "x", "_meta": None})) == params_of(made({"name": "x"}))
    others: tuple[Any, ...] = (7, [], "x", True)
    for meta in others:
        with pytest.raises(InvalidRequest, match="_meta is an object"):
            params_of(made({"name": "x", "_meta": meta}))


def answer(members: bytes) -> jsonrpc.Message:
    return jsonrpc.parse(b'{"jsonrpc":"2.0","id":1,%b}' % members)


def test_a_result_and_an_error_are_told_apart() -> None:
    assert requests.answered(answer(b'"result":{"a":1}'), "up") == (b'{"a":1}', False)
    error = b'{"code":1,"message":"x"}'
    assert requests.answered(answer(b'"error":' + error), "up") == (error, True)


@pytest.mark.parametrize(
    "members",
    [
        b'"result":7',
        b'"result":[]',
        b'"result":{"_meta":[]}',
        b'"error":{"code":"1","message":"x"}',
        b'"error":{"code":1.5,"message":"x"}',
        b'"error":{"code":1,"message":7}',
        b'"error":{"message":"x"}',
    ],
)
def test_what_is_neither_is_the_upstreams_failure(members: bytes) -> None:
    with pytest.raises(UpstreamFailed, match="no result and no error"):
        requests.answered(answer(members), "up")


def test_an_answer_without_either_is_the_upstreams_failure() -> None:
    with pytest.raises(UpstreamFailed, match="neither a result nor an error"):
        requests.answered(jsonrpc.parse(b'{"jsonrpc":"2.0","id":1,"method":"x"}'), "up")


def test_a_request_of_the_gateways_own_says_who_asks() -> None:
    assert jsonrpc.decode(requests.own_meta())[modern.META_CLIENT]["name"] == "mcp-gateway"
