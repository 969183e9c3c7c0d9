"""What is committed to, under which key, and that the hash is the standard's."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.ledger.commitment import (
    LONGEST_NAME,
    MOST_ARGUMENTS,
    Commitments,
    canonical,
    commit,
    keyed,
    parted,
)
from mcp_gateway.wire import jsonrpc

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.requirement("streams:large-results-are-committed-to")
@given(st.lists(st.binary(max_size=100)))
def test_a_content_in_pieces_has_the_commitment_of_the_whole(pieces: list[bytes]) -> None:
    commitments = Commitments(b"k" * 32)
    begun = commitments.begun("local|alice", "c-1", "outcome", "result")
    for piece in pieces:
        begun.update(piece)

    content = {"result": b"".join(pieces)}
    made = commitments.of("local|alice", "c-1", "outcome", content)
    assert begun.hexdigest() == made["result"]


@given(st.binary(max_size=64), st.binary(max_size=5000))
def test_the_hash_is_hmac_sha_256(key: bytes, message: bytes) -> None:
    assert keyed(key, message) == hmac.digest(key, message, "sha256")


@pytest.mark.parametrize(
    ("key", "data", "digest"),
    [
        (
            b"\x0b" * 20,
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            b"\xaa" * 20,
            b"\xdd" * 50,
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
    ],
)
def test_the_vectors_of_rfc_4231_hold(key: bytes, data: bytes, digest: str) -> None:
    assert keyed(key, data).hex() == digest


def test_each_subject_call_and_phase_has_a_key_of_its_own() -> None:
    commitments = Commitments(b"s" * 32)
    keys = {
        commitments.key(subject, call, kind)
        for subject in ("a", "b")
        for call in ("c-1", "c-2")
        for kind in ("intent", "outcome")
    }
    assert len(keys) == 8
    assert Commitments(b"t" * 32).key("a", "c-1", "intent") not in keys


@pytest.mark.requirement("ledger:each-argument-is-committed-to")
def test_each_argument_has_a_commitment_that_its_value_opens() -> None:
    commitments = Commitments(b"s" * 32)
    params = b'{"name":"refund","arguments":{"amount": 12,"to":{"b":1,"a":[2]}},"_meta":{}}'

    made = commitments.of("alice", "c-1", "intent", {"params": params})

    key = commitments.key("alice", "c-1", "intent")
    assert made == {
        "arguments/amount": commit(key, "arguments/amount", b"12"),
        "arguments/to": commit(key, "arguments/to", b'{"a":[2],"b":1}'),
        "params": commit(key, "params", b'{"name":"refund","arguments":{},"_meta":{}}'),
    }


@given(st.dictionaries(st.text(max_size=120), JSON, max_size=80))
def test_nothing_of_the_params_is_left_out(arguments: dict[str, object]) -> None:
    params = {"name": "t", "arguments": arguments, "_meta": {"x": 1}}

    rest, named = parted(jsonrpc.encode(params))

    left = jsonrpc.decode(rest)
    told = {name: jsonrpc.decode(value) for name, value in named.items()}
    assert {**left, "arguments": {**left["arguments"], **told}} == params
    assert len(named) <= MOST_ARGUMENTS
    assert all(len(name) <= LONGEST_NAME and name.isprintable() for name in named)


@pytest.mark.parametrize("raw", [b"no json", b"[]", b'{"uri":"a:b"}', b'{"arguments":7}'])
def test_what_has_no_arguments_is_committed_to_as_it_is(raw: bytes) -> None:
    assert parted(raw) == (raw, {})


@given(JSON)
def test_equal_values_are_equal_bytes(value: object) -> None:
    written = jsonrpc.canonical(value)
    assert canonical(written) == written
    assert canonical(jsonrpc.encode(value)) == written


@pytest.mark.parametrize(
    ("one", "other"), [(b'"a\\/b"', b'"a/b"'), (b'"\\u0041"', b'"A"'), (b"1.0e1", b"10.0")]
)
def test_one_value_written_in_two_ways_is_one(one: bytes, other: bytes) -> None:
    assert canonical(one) == canonical(other)
