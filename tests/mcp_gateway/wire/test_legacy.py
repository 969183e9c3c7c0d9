"""What changes at the border between the initialize era and 2026-07-28, and what does not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.wire import jsonrpc, legacy
from mcp_gateway.wire.modern import CACHEABLE

OWN = {"resultType", "ttlMs", "cacheScope"}
RESULTS = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=4)
METHODS = st.sampled_from(["tools/call", "prompts/get", *sorted(CACHEABLE)])


@pytest.mark.parametrize("revision", legacy.REVISIONS)
def test_a_revision_that_is_known_is_agreed_on(revision: str) -> None:
    assert legacy.negotiated(revision) == revision


@pytest.mark.parametrize("asked", ["2026-07-28", "1999-01-01", "", None, 7, ["2025-06-18"], {}])
def test_for_any_other_the_latest_is_offered(asked: Any) -> None:
    assert legacy.negotiated(asked) == "2025-11-25"


def test_initialize_says_who_asks_and_claims_no_capability() -> None:
    client = b'{"name":"mcp-gateway","version":"0.1.0"}'

    said = json.loads(legacy.initialize_params(client))

    assert said == {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": json.loads(client),
    }
    assert (
        json.loads(legacy.initialize_params(client, "2025-03-26"))["protocolVersion"]
        != (said["protocolVersion"])
    )


@given(METHODS, RESULTS)
def test_a_result_crosses_both_ways_and_is_what_it_was(method: str, fields: dict[str, Any]) -> None:
    raw = json.dumps(fields).encode()

    there = legacy.result_to_modern(method, raw)
    back = legacy.result_to_legacy(method, there)

    added = OWN if method in CACHEABLE else {"resultType"}
    assert set(json.loads(there)) == set(fields) | added
    assert {k: v for k, v in json.loads(there).items() if k in fields} == fields
    assert json.loads(back) == {k: v for k, v in fields.items() if k not in added}


@pytest.mark.parametrize("method", ["tools/list", "resources/read"])
def test_a_cacheable_result_of_an_older_server_is_private_and_stale_at_once(method: str) -> None:
    made = json.loads(legacy.result_to_modern(method, b'{"tools":[]}'))

    assert (made["ttlMs"], made["cacheScope"], made["resultType"]) == (0, "private", "complete")


def test_what_a_server_says_itself_stays_as_it_said_it() -> None:
    raw = b'{"resultType":"complete","ttlMs":5,"cacheScope":"public"}'

    assert legacy.result_to_modern("tools/list", raw) == raw


@pytest.mark.parametrize("said", ["input_required", "task", "x", None, 7])
def test_a_result_of_an_older_server_asks_nothing_whatever_it_says(said: Any) -> None:
    raw = json.dumps({"resultType": said, "content": []}).encode()

    made = json.loads(legacy.result_to_modern("tools/call", raw))

    assert made == {"resultType": "complete", "content": []}


def test_a_result_that_is_no_object_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\S"):
        legacy.result_to_modern("tools/call", b"[]")


def test_a_resource_that_is_not_found_has_the_code_of_each_era() -> None:
    modern, older = jsonrpc.INVALID_PARAMS, legacy.NOT_FOUND
    assert legacy.code_to_modern("resources/read", older) == modern
    assert legacy.code_to_legacy("resources/read", modern) == older


@pytest.mark.parametrize(
    ("method", "code"), [("tools/call", -32602), ("tools/call", -32002), ("resources/read", -32603)]
)
def test_every_other_code_is_the_same_in_both(method: str, code: int) -> None:
    assert legacy.code_to_modern(method, code) == code
    assert legacy.code_to_legacy(method, code) == code


def test_what_can_be_answered_is_declared_as_it_is_given() -> None:
    said = json.loads(legacy.initialize_params(b"{}", capabilities=b'{"roots":{}}'))

    assert said["capabilities"] == {"roots": {}}


@pytest.mark.parametrize("type_", [b'"task"', b'"input_required"', b"null", b"7", b'"\\u0078"'])
def test_a_result_of_another_type_cannot_be_said_in_the_era(type_: bytes) -> None:
    with pytest.raises(legacy.Untranslatable):
        legacy.result_to_legacy("tools/call", b'{"resultType":%b,"taskId":"t"}' % type_)


def test_a_type_is_what_it_reads_as_however_it_is_written() -> None:
    raw = b'{"resultType":"\\u0063omplete","content":[1.0]}'

    assert legacy.result_to_legacy("tools/call", raw) == b'{"content":[1.0]}'


@pytest.mark.parametrize(
    ("said", "wanted", "loud"),
    [
        ("debug", "debug", True),
        ("debug", "info", False),
        ("emergency", "alert", True),
        ("debug", "", True),
        ("unheard-of", "alert", True),
        (None, "alert", True),
        ([], "alert", True),
    ],
)
def test_a_log_message_is_for_who_wants_its_level_or_more(
    said: Any, wanted: str, *, loud: bool
) -> None:
    assert legacy.loud_enough(said, wanted) is loud
