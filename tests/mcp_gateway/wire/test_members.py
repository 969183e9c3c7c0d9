"""An object's members are found in any cut of its bytes, or the object is refused."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.wire.jsonrpc import DEEPEST
from mcp_gateway.wire.members import LONGEST_NAME, MOST, Members

AWKWARD = st.text(alphabet='ab"\\{}[],: \n\u00e9\U0001f600')
LEAVES = st.none() | st.booleans() | st.integers() | AWKWARD | st.just("long " * 2000)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(AWKWARD, inner), max_leaves=30
)
CUTS = st.lists(st.integers(0, 20_000), max_size=8)


def read(raw: bytes, cuts: list[int]) -> tuple[dict[str, bytes], bool]:
    """The values by name, and whether the object was whole."""
    members, found = Members(), dict[str, bytes]()
    edges = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    for start, end in itertools.pairwise(edges):
        for name, piece in members.feed(raw[start:end]):
            found[name] = found.get(name, b"") + piece
    return found, members.done


@given(
    value=st.dictionaries(AWKWARD, VALUES),
    ascii_=st.booleans(),
    indent=st.sampled_from([None, 1]),
    cuts=CUTS,
)
def test_the_pieces_of_each_member_are_its_value(
    *, value: dict[str, Any], ascii_: bool, indent: int | None, cuts: list[int]
) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_, indent=indent).encode()

    found, whole = read(b" \n" + raw + b"\t", cuts)

    assert whole
    assert {name: json.loads(piece) for name, piece in found.items()} == value


@given(st.dictionaries(AWKWARD, VALUES, min_size=1), st.data())
def test_an_object_that_was_cut_is_never_whole(value: dict[str, Any], data: st.DataObject) -> None:
    raw = json.dumps(value).encode()
    end = data.draw(st.integers(0, len(raw) - 1))

    assert not read(raw[:end], [])[1]


@given(st.binary(max_size=200), CUTS)
def test_whatever_arrives_is_an_object_or_a_value_error(raw: bytes, cuts: list[int]) -> None:
    try:
        found, whole = read(b'{"a":' + raw, cuts)
    except ValueError:
        return
    if whole:
        assert "a" in found


@given(st.lists(st.sampled_from(list(b'{}[]",\\ a1:')), max_size=60).map(bytes), CUTS)
def test_every_cut_of_the_same_bytes_reads_the_same(raw: bytes, cuts: list[int]) -> None:
    def seen(where: list[int]) -> Any:
        try:
            return read(b'{"a":' + raw, where)
        except ValueError:
            return "refused"

    assert seen(cuts) == seen([])


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b'"a"',
        b"{,}",
        b'{"a"}',
        b'{"a":}',
        b'{"a":,"b":1}',
        b'{"a":1,}',
        b'{"a":1}{',
        b'{"a":1} x',
        b'{"a":]}',
        b'{"a":[}]}',
        b'{"a":{]}',
        b'{"a":1,"a":2}',
        b'{"a":1,"\\u0061":2}',
        b'{"\\ud800":1}',
        b'{"\xff":1}',
        b"{a:1}",
        b'{"a":' + b"[" * (DEEPEST + 1),
        b'{"a":[' + b'{"b":[' * DEEPEST,
        b'{"' + b"a" * (LONGEST_NAME + 1) + b'":1}',
        b"{" + b",".join(b'"%d":1' % n for n in range(MOST + 1)) + b"}",
    ],
)
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(raw, [])


def test_as_much_as_may_be_is_read() -> None:
    deep = b"[" * DEEPEST + b"]" * DEEPEST
    many = b",".join(b'"%d":1' % n for n in range(MOST - 1))

    found, whole = read(b'{"a":%b,%b}' % (deep, many), [])

    assert whole
    assert found["a"] == deep
    assert len(found) == MOST


def test_a_member_is_given_out_before_it_is_whole() -> None:
    members = Members()

    first = list(members.feed(b'{"a":[1,2'))
    second = list(members.feed(b",3"))

    assert first == [("a", b"[1,2")]
    assert second == [("a", b",3")]
