"""The same call, made again once its addresses were opened, goes on where it stopped."""

import pytest

from mcp_gateway.core.body import Body
from mcp_gateway.edge import links
from mcp_gateway.edge.links import Link, Links

CALL = "tools/call"


def _link(call: str = "c-1") -> Link:
    return Link(call, "sealed", ("a",), ("id-1",))


@pytest.mark.requirement("edge:addresses-to-open")
@pytest.mark.parametrize(
    ("method", "params", "same"),
    [
        (CALL, b'{"name":"x","arguments":{"a":1}}', True),
        (CALL, b'{"arguments":{"a":1},"name":"x"}', True),
        (CALL, b'{"name":"x","arguments":{"a":1},"_meta":{"progressToken":7}}', True),
        (CALL, b'{"name":"x","arguments":{"a":2}}', False),
        (CALL, b'{"name":"y","arguments":{"a":1}}', False),
        (CALL, b'{"name":"x"}', False),
        ("prompts/get", b'{"name":"x","arguments":{"a":1}}', False),
    ],
)
def test_the_same_has_the_same_method_and_parameters(
    method: str, params: bytes, *, same: bool
) -> None:
    kept = Links()
    kept.keep(CALL, Body(b'{"name":"x","arguments":{"a":1},"_meta":{}}'), _link())

    assert bool(kept.take(method, Body(params))) is same
    assert len(kept) == (0 if same else 1)


@pytest.mark.requirement("edge:addresses-to-open")
def test_it_goes_on_once() -> None:
    kept = Links()
    kept.keep(CALL, Body(b"{}"), _link())

    assert kept.take(CALL, Body(b"{}")) == _link()
    assert kept.take(CALL, Body(b"{}")) is None


def test_who_asks_twice_is_remembered_once_and_the_number_is_bounded() -> None:
    kept = Links()
    assert kept.keep(CALL, Body(b"{}"), _link("c-0")) == []
    assert kept.keep(CALL, Body(b"{}"), _link("c-1")) == [_link("c-0")]

    given_up = [
        link
        for number in range(links.MOST)
        for link in kept.keep(CALL, Body(b'{"n":%d}' % number), _link(f"n-{number}"))
    ]

    assert given_up == [_link("c-1")]
    assert len(kept) == links.MOST


def test_who_calls_again_has_opened_the_addresses_and_is_told_that_they_are_done() -> None:
    link = Link("c-1", "sealed", ("a", 'b"'), ("id-1", "id-2"))

    assert link.answers() == b'{"a":{"action":"accept"},"b\\"":{"action":"accept"}}'
    assert [note.count(b"elicitation/complete") for note in link.completed()] == [1, 1]


@pytest.mark.requirement("connecting:a-runtime-is-told-when-to-call-again")
def test_what_an_address_was_for_is_told_once_and_the_call_goes_on_all_the_same() -> None:
    links, params = Links(), Body(b'{"name":"read"}')
    links.keep("tools/call", params, Link("c-1", "sealed", ("a",), ("id-1",), ("http://x/1",)))
    links.keep("prompts/get", params, Link("c-2", "sealed", ("a",), ("id-2",), ("http://x/2",)))

    first = links.opened(lambda address: address.endswith("/1"))
    again = links.opened(lambda address: address.endswith("/1"))
    taken = links.take("tools/call", params)

    assert [link.call for link in first] == ["c-1"]
    assert again == []
    assert taken is not None
    assert (taken.call, taken.completed()) == ("c-1", [])
