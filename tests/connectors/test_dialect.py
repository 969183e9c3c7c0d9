"""Answers of the initialize era, in the dialect of the core."""

from pathlib import Path
from typing import Any

import pytest

from connectors import dialect
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.core.target import Target
from mcp_gateway.wire import jsonrpc
from tests.connectors.answering import able, answered, asked_of
from tests.connectors.conftest import Around
from tests.connectors.http import connected, echo, said
from tests.support.sdk_upstream import serving

ADDRESS = {"mode": "url", "elicitationId": "e-1", "message": "Connect", "url": "https://a.example/"}


def failed(error: Any, method: str = "tools/call") -> Any:
    answer = jsonrpc.parse(jsonrpc.error_raw(b"1", jsonrpc.encode(error)))
    return dialect.result("up", method, answer)


@pytest.mark.requirement("questions:addresses-of-32042")
async def test_an_address_that_has_to_be_visited_is_asked_and_the_retry_calls_again(
    around: Around, tmp_path: Path
) -> None:
    async with (
        serving(tmp_path / "notes", only="legacy") as upstream,
        connected(around, upstream.url) as connector,
    ):
        made = able(echo(target=Target("tool", "up", "visit"), more={"name": "up__visit"}))
        result = await connector.send(made)
        asked = asked_of(result)
        done = await answered(connector, made, result, {"action": "accept"})

    assert asked.parked is None
    (question,) = asked.questions.values()
    assert question.method == "elicitation/create"
    assert jsonrpc.decode(question.params) == {
        "mode": "url",
        "message": "Connect",
        "url": "https://accounts.example/connect",
    }
    assert said(done) == "connected"


def test_several_addresses_are_several_questions() -> None:
    other = {"url": "http://127.0.0.1:9/x", "mode": "url"}
    found = failed({"code": -32042, "message": "m", "data": {"elicitations": [ADDRESS, other]}})

    assert list(asked_of(found).questions) == ["elicitation-1", "elicitation-2"]
    assert not found.failed


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"elicitations": []},
        {"elicitations": {}},
        {"elicitations": ["https://a.example/"]},
        {"elicitations": [{**ADDRESS, "url": "http://a.example/"}]},
        {"elicitations": [{**ADDRESS, "url": "javascript:alert(1)"}]},
        {"elicitations": [{**ADDRESS, "url": "https://user:pass@a.example/"}]},
        {"elicitations": [{**ADDRESS, "url": None}]},
        {"elicitations": [ADDRESS] * 33},
    ],
)
@pytest.mark.requirement("questions:addresses-of-32042")
def test_an_address_to_which_nobody_should_be_sent_is_the_upstreams_failure(data: Any) -> None:
    with pytest.raises(UpstreamFailed, match="address visited"):
        failed({"code": -32042, "message": "m", "data": data})


@pytest.mark.parametrize(
    ("error", "method"),
    [
        ({"code": -32042, "message": "m", "data": {"elicitations": [ADDRESS]}}, "tools/list"),
        ({"code": -32000, "message": "-32042"}, "tools/call"),
        ({"code": -32002, "message": "gone"}, "resources/read"),
    ],
)
def test_any_other_error_is_the_answer(error: Any, method: str) -> None:
    found = failed(error, method)

    assert (found.failed, found.asked, found.view()) == (True, None, error)


@pytest.mark.parametrize("claim", ["input_required", "task", 7, None])
def test_a_result_of_this_era_asks_nothing_whatever_it_claims(claim: Any) -> None:
    raw = jsonrpc.encode({"resultType": claim, "inputRequests": {}, "content": []})
    found = dialect.result("up", "tools/call", jsonrpc.parse(jsonrpc.result(b"1", raw)))

    assert found.asked is None
    assert found.view()["resultType"] == "complete"


def test_a_question_leaves_its_identifier_behind_and_nothing_else() -> None:
    raw = jsonrpc.request(b"1", "elicitation/create", jsonrpc.encode({**ADDRESS, "x": {"y": 1}}))

    found = dialect.question(jsonrpc.parse(raw))

    expected = {name: value for name, value in ADDRESS.items() if name != "elicitationId"}
    assert jsonrpc.decode(found.params) == {**expected, "x": {"y": 1}}
