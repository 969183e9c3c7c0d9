"""A refusal reaches whoever has to act on it: a model in words, a program in codes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.core.entry import Receipt
from mcp_gateway.core.errors import (
    REFUSALS,
    ConsentRequired,
    Forbidden,
    HeaderMismatch,
    InsufficientScope,
    InvalidState,
    MissingCapability,
    Overloaded,
    Refusal,
    Throttled,
    UnknownTarget,
    UpstreamBusy,
    UpstreamFailed,
    UpstreamTimedOut,
)
from mcp_gateway.edge.refusals import RECEIPT, Answer, refused, retry_after, with_receipt, words
from tests.support.calls import call

CONTACT = "ops@example.com"
PLAIN = (InsufficientScope, UnknownTarget, HeaderMismatch, MissingCapability, InvalidState)
NAMED_BY_MCP = (-32602, -32020, -32021)


def _made(kind: type[Refusal], **changes: Any) -> Refusal:
    if kind is InsufficientScope:
        return InsufficientScope({"b"}, {"a", "b"})
    if kind is MissingCapability:
        made: Refusal = MissingCapability("it is so", {"elicitation": {}})
    elif kind is ConsentRequired:
        made = ConsentRequired("github", "https://gw.example/connect/t", "it is so")
    else:
        made = kind("it is so")
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def _message(answer: Answer) -> Any:
    return json.loads(answer.message)


@pytest.mark.requirement("edge:refused-tools-are-results")
@pytest.mark.parametrize("kind", [kind for kind in REFUSALS if kind not in PLAIN])
@pytest.mark.parametrize("modern", [True, False], ids=["modern", "legacy"])
def test_a_refused_tool_call_is_a_result_with_words(kind: type[Refusal], *, modern: bool) -> None:
    answer = refused(call(), b'"id-7"', _made(kind, rule="no-deletes"), CONTACT, modern=modern)

    assert (answer.status, answer.headers) == (200, ((b"content-type", b"application/json"),))
    message = _message(answer)
    assert set(message) == {"jsonrpc", "id", "result"}
    assert message["id"] == "id-7"
    result = message["result"]
    assert result["isError"] is True
    assert ("resultType" in result) is modern
    text = result["content"][0]["text"]
    assert kind.slug in text
    for part in ("it is so", "Rule: no-deletes.", "Call: c-1.", CONTACT):
        assert part in text


@pytest.mark.requirement("edge:refusals-of-methods-are-errors")
@pytest.mark.parametrize("kind", REFUSALS)
@pytest.mark.parametrize("method", ["prompts/get", "tools/list", "resources/read", "tools/call"])
@pytest.mark.parametrize("modern", [True, False], ids=["modern", "legacy"])
def test_any_other_refusal_is_an_error_with_its_code_and_status(
    kind: type[Refusal], method: str, *, modern: bool
) -> None:
    if method == "tools/call" and kind not in PLAIN:
        return
    answer = refused(call(method, {"name": "x"}), b"1", _made(kind), CONTACT, modern=modern)

    error = _message(answer)["error"]
    not_found = method == "resources/read" and kind.code == -32602 and not modern
    assert error["code"] == (-32002 if not_found else kind.code)
    keeps_status = modern or kind is InsufficientScope
    assert answer.status == (kind.status if keeps_status else 200)


@pytest.mark.requirement("edge:refusals-of-methods-are-errors")
@pytest.mark.parametrize("kind", REFUSALS)
def test_a_code_is_outside_of_what_json_rpc_reserves(kind: type[Refusal]) -> None:
    assert kind.code in NAMED_BY_MCP or not -32768 <= kind.code <= -32000


@pytest.mark.requirement("authorize:strangers-learn-nothing")
@pytest.mark.parametrize("modern", [True, False], ids=["modern", "legacy"])
@pytest.mark.parametrize("method", ["tools/call", "prompts/get", "operations/call"])
def test_a_hidden_denial_says_no_more_than_an_unknown_name(method: str, *, modern: bool) -> None:
    unknown = UnknownTarget("no tool is called 'x'")
    hidden = UnknownTarget("no tool is called 'x'", recorded="forbidden", rule="no-deletes")

    said = [refused(call(method), b"1", r, CONTACT, modern=modern) for r in (unknown, hidden)]

    assert said[0] == said[1]
    assert b"data" not in said[0].message
    assert CONTACT.encode() not in said[0].message


def test_the_data_of_an_error_names_refusal_call_and_rule() -> None:
    refusal = Forbidden("it is so", rule="no-reads")

    error = _message(refused(call("prompts/get"), b"1", refusal, CONTACT, modern=True))["error"]

    assert error["data"] == {"refusal": "forbidden", "call": "c-1", "rule": "no-reads"}


@pytest.mark.requirement("limit:retry-after")
@pytest.mark.parametrize(
    ("wait", "seconds"), [(0.001, 1), (0.9, 1), (1.0, 1), (1.2, 2), (59.5, 60), (3600, 3600)]
)
def test_who_waits_as_long_as_is_said_gets_in(wait: float, seconds: int) -> None:
    refusal = Throttled("over the limit", retry_after=wait)

    text = words(call(), refusal, CONTACT)
    answer = refused(call("tools/list", {}), b"1", refusal, CONTACT, modern=True)

    assert f"Try again in {seconds} s." in text
    assert "Do not retry" not in text
    assert (answer.status, dict(answer.headers)[b"retry-after"]) == (429, b"%d" % seconds)
    assert _message(answer)["error"]["data"]["retryAfter"] == pytest.approx(wait, abs=0.001)


@pytest.mark.parametrize("kind", REFUSALS)
def test_only_a_refusal_that_will_be_the_same_says_not_to_retry(kind: type[Refusal]) -> None:
    passing = kind in (UpstreamFailed, UpstreamTimedOut, UpstreamBusy, Overloaded)

    said = words(call(), _made(kind), CONTACT)

    assert ("Do not retry" in said) is not (passing or kind is ConsentRequired)
    assert ("Open the address, then call again" in said) is (kind is ConsentRequired)
    assert ("It may pass" in said) is passing
    assert "taken effect" not in said


@pytest.mark.parametrize("kind", [UpstreamFailed, UpstreamTimedOut, Overloaded])
def test_what_may_have_been_done_before_it_failed_says_so(kind: type[Refusal]) -> None:
    made = call()
    made.attempts = 1

    assert "It may have taken effect: look before you call again." in words(
        made, _made(kind), CONTACT
    )


@pytest.mark.parametrize("refusal", [UpstreamBusy("busy"), UpstreamFailed("away", sent=False)])
def test_what_did_not_leave_has_done_nothing(refusal: Refusal) -> None:
    made = call()
    made.attempts = 1

    assert "taken effect" not in words(made, refusal, CONTACT)


def test_a_missing_capability_is_named_as_the_client_would_declare_it() -> None:
    refusal = MissingCapability("it asks you", {"elicitation": {"form": {}}})

    answer = refused(call(), b"1", refusal, CONTACT, modern=True)

    assert answer.status == 400
    error = _message(answer)["error"]
    assert error["code"] == -32021
    assert error["data"]["requiredCapabilities"] == {"elicitation": {"form": {}}}


def test_what_does_not_help_has_no_header() -> None:
    assert retry_after(Forbidden("no")) == ()
    assert retry_after(Overloaded("busy", retry_after=2)) == ((b"retry-after", b"2"),)


@pytest.mark.requirement("edge:receipts-cannot-be-forged")
@given(
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=4),
    st.none() | st.dictionaries(st.sampled_from([RECEIPT, "vendor/x"]), st.integers(), max_size=2),
)
def test_a_receipt_is_added_and_everything_else_stays(
    result: dict[str, Any], meta: dict[str, Any] | None
) -> None:
    made = call()
    made.receipt = Receipt("log", 7)
    given_ = result | ({} if meta is None else {"_meta": meta})

    found = json.loads(with_receipt(json.dumps(given_).encode(), made))

    assert found.pop("_meta") == (meta or {}) | {RECEIPT: {"log": "log", "index": 7, "call": "c-1"}}
    given_.pop("_meta", None)
    assert found == given_


def test_without_an_entry_there_is_no_receipt() -> None:
    assert with_receipt(b'{"a":1}', call()) == b'{"a":1}'


@given(st.text(max_size=60), st.text(max_size=20))
def test_whatever_a_refusal_says_the_answer_is_one_message(reason: str, rule: str) -> None:
    for method in ("tools/call", "prompts/get"):
        answer = refused(call(method), b"1", Forbidden(reason, rule=rule), CONTACT, modern=True)

        assert _message(answer)["id"] == 1
        assert b"\n" not in answer.message
