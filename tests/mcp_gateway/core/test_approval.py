import hashlib

from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.core.approval import NOT_ASKED, Approval
from mcp_gateway.core.body import Body


def bound(raw: bytes) -> Approval:
    return Approval("g-1", hashlib.sha256(raw).hexdigest())


@given(st.binary(), st.binary())
def test_an_approval_covers_the_bytes_that_were_shown_and_no_others(a: bytes, b: bytes) -> None:
    assert bound(a).covers(Body(a))
    assert bound(a).covers(Body(b)) == (a == b)


def test_another_spelling_of_the_same_json_is_not_what_was_approved() -> None:
    assert not bound(b'{"a":1}').covers(Body(b'{"a": 1}'))


def test_a_call_that_owed_no_approval_is_bound_to_nothing() -> None:
    assert NOT_ASKED.covers(Body(b"anything"))
