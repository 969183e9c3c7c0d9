"""Commitments bind to content, and tell nothing to who has not the key."""

import hmac
import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.ledger import commitment
from mcp_gateway.ledger.commitment import LONGEST_NAME, MOST_ARGUMENTS, Commitments, commit
from tests.mcp_gateway.ledger.logs import SECRET

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**50), 2**50) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


def made(params: bytes, subject: str = "local|alice", call: str = "c-1") -> dict[str, str]:
    return Commitments(SECRET).of(subject, call, "intent", {"params": params})


def of(arguments: Any, **how: Any) -> dict[str, str]:
    return made(json.dumps({"name": "x", "arguments": arguments}, **how).encode())


@pytest.mark.requirement("ledger:commitments-can-be-opened")
def test_who_has_the_key_and_the_argument_can_show_that_it_was_this_one() -> None:
    subject = hmac.new(SECRET, b"subject\0local|alice", sha256).digest()
    key = hmac.new(subject, b"c-1\0intent", sha256).digest()
    found = of({"amount": 1200, "to": "bob"})

    assert Commitments(SECRET).key("local|alice", "c-1", "intent") == key
    assert found["arguments/amount"] == commit(key, "arguments/amount", b"1200")
    assert found["arguments/to"] == commit(key, "arguments/to", b'"bob"')


@pytest.mark.parametrize("size", [1, 2_000, 3_000, 100_000])
def test_content_of_any_size_is_bound_by_the_standards_own_hmac(size: int) -> None:
    key, value = b"k" * 32, b"x" * size

    expected = hmac.new(key, b"result\0" + value, sha256).hexdigest()
    assert commit(key, "result", value) == expected


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), VALUES, max_size=5))
def test_one_value_has_one_commitment_however_it_is_spelled(arguments: dict[str, Any]) -> None:
    found = of(arguments)
    spelled = of(arguments, indent=1, ensure_ascii=False)
    turned = of(dict(reversed(arguments.items())), separators=(", ", " : "))

    names = {f"arguments/{name}" for name in arguments}
    assert set(found) == {"params", *names}
    for name in names:
        assert found[name] == spelled[name] == turned[name]


def test_nothing_can_be_compared_between_calls_subjects_arguments_or_secrets() -> None:
    params = b'{"arguments":{"a":1,"b":1}}'
    found = made(params)
    others = [
        made(params, call="c-2"),
        made(params, subject="local|bob"),
        Commitments(SECRET).of("local|alice", "c-1", "outcome", {"params": params}),
        Commitments(b"another").of("local|alice", "c-1", "intent", {"params": params}),
    ]

    every = [value for each in [found, *others] for value in each.values()]
    assert len(set(every)) == len(every) == 3 * 5
    assert made(params) == found


def test_what_is_other_has_another_commitment() -> None:
    assert of({"a": 1}) != of({"a": 2})
    assert of({"a": 1})["arguments/a"] != of({"a": "1"})["arguments/a"]
    assert of({"a": 1}) != made(b'{"name":"y","arguments":{"a":1}}')


def test_at_most_sixty_four_arguments_have_one_of_their_own_and_all_are_bound() -> None:
    many = {f"a{n:03}": n for n in range(MOST_ARGUMENTS + 1)}
    found = of(many)

    assert len(found) == MOST_ARGUMENTS + 1
    assert found != of(many | {"a064": "another"})


@pytest.mark.parametrize("name", ["x" * (LONGEST_NAME + 1), "a\nb", "\u202e"])
def test_a_name_that_is_long_or_not_printable_stays_out_and_is_bound(name: str) -> None:
    found = of({name: 1})

    assert list(found) == ["params"]
    assert found != of({name: 2})


def test_content_that_is_no_params_has_one_commitment() -> None:
    content = {"result": b'{"arguments":{"a":1}}'}

    assert list(Commitments(SECRET).of("local|alice", "c-1", "outcome", content)) == ["result"]


def test_a_subject_that_is_not_remembered_has_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commitment, "MOST_SUBJECTS", 1)
    full, fresh = Commitments(SECRET), Commitments(SECRET)
    full.key("local|first", "c", "intent")

    for _ in range(2):
        assert full.key("local|alice", "c", "intent") == fresh.key("local|alice", "c", "intent")
