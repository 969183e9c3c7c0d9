import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.core.decision import Effect
from mcp_gateway.core.entry import Common, Entry
from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.ledger.frame import LARGEST
from mcp_gateway.ledger.line import LONGEST_TEXT, line
from tests.mcp_gateway.ledger.logs import SECRET

CLEAR = st.recursive(
    st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def said(entry: Entry) -> dict[str, Any]:
    """The entry as somebody without this program reads it."""
    raw = line(entry, "log/000001", 4, 1_700_000_000_000_000, Commitments(SECRET))
    assert 0 < len(raw) <= LARGEST
    found = json.loads(raw)
    assert isinstance(found, dict)
    return found


@given(st.dictionaries(st.text(max_size=10).map("x_".__add__), CLEAR, max_size=6))
def test_an_entry_is_its_body_with_its_place_and_time(body: dict[str, Any]) -> None:
    assert said(Entry("spawn", body=body)) == {
        **body,
        "v": 1,
        "log": "log/000001",
        "index": 4,
        "time": 1_700_000_000_000_000,
        "kind": "spawn",
    }


@pytest.mark.parametrize("words", ["", "x" * 2 * LARGEST])
def test_what_was_committed_to_as_it_passed_stands_beside_the_rest(words: str) -> None:
    entry = Entry(
        "outcome",
        "c-1",
        "local|alice",
        {"words": words},
        {"params": b"{}"},
        committed={"result": "ab12"},
    )

    assert said(entry)["commit"]["result"] == "ab12"
    assert sorted(said(entry)["commit"]) == ["params", "result"]


def test_of_content_only_commitments_enter() -> None:
    content = {"result": b'{"said":"hush"}'}
    found = said(Entry("outcome", "c-1", "local|alice", {}, content))

    assert found["call"] == "c-1"
    assert list(found["commit"]) == ["result"]
    assert "hush" not in json.dumps(found)


@pytest.mark.parametrize(
    "body", [{"a": 0.5}, {"a": [1, [2.0]]}, {"a": {"b": 1e9}}, {"a": ({"b": float("nan")},)}]
)
def test_a_float_is_refused_wherever_it_hides(body: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="whole numbers"):
        said(Entry("outcome", body=body))


def test_what_would_not_fit_is_shortened_and_says_so() -> None:
    params = json.dumps({"name": "x", "arguments": {f"a{n}": n for n in range(10)}}).encode()
    body = {
        "reason": "x" * LARGEST,
        "roles": ["r"] * 30_000,
        "owed": {"a": 1},
        "bytes_in": 7,
        "done": True,
    }
    found = said(Entry("outcome", "c-1", "local|alice", body, {"params": params}))

    assert found["cut"] is True
    assert found["reason"] == "x" * LONGEST_TEXT
    assert (found["roles"], found["owed"]) == ("30000 left out", "1 left out")
    assert (found["bytes_in"], found["done"], found["index"]) == (7, True, 4)
    assert list(found["commit"]) == ["params"]


def test_what_does_not_fit_even_then_is_refused() -> None:
    body = {f"field_{n}": "x" * LONGEST_TEXT for n in range(200)}
    with pytest.raises(ValueError, match="does not fit"):
        said(Entry("outcome", body=body))


def test_what_is_cut_without_content_says_so_too() -> None:
    assert said(Entry("spawn", body={"command": ["x"] * LARGEST}))["command"] == "65535 left out"


def test_what_many_say_alike_is_said_by_each_of_them_whole_or_cut() -> None:
    common = Common({"method": "tools/call", "words": "x" * 500})
    whole = said(Entry("intent", "c-1", body={"n": 1}, common=common))
    cut = said(Entry("intent", "c-2", body={"reason": "x" * LARGEST}, common=common))

    assert (whole["n"], whole["method"], len(whole["words"])) == (1, "tools/call", 500)
    assert (cut["cut"], cut["method"], len(cut["words"])) == (True, "tools/call", LONGEST_TEXT)


@pytest.mark.parametrize(
    ("body", "common"),
    [
        ({"index": 7}, {}),
        ({"commit": {}}, {}),
        ({}, {"log": "other/000001"}),
        ({"rule": "one"}, {"rule": "other"}),
    ],
    ids=["a place", "a commitment", "another log", "a name of both"],
)
def test_no_name_is_said_twice_or_instead_of_the_ledgers_own(
    body: dict[str, Any], common: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"twice|of the ledger's own"):
        said(Entry("outcome", body=body, common=Common(common)))


def test_a_float_is_refused_in_what_is_common_too() -> None:
    with pytest.raises(TypeError, match="whole numbers"):
        said(Entry("outcome", common=Common({"score": 0.5})))


def test_a_text_of_a_type_of_its_own_is_a_text() -> None:
    assert said(Entry("outcome", body={"effect": Effect.DENY}))["effect"] == "deny"
