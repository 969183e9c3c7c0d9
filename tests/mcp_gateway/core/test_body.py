from typing import Any

import pytest

from mcp_gateway.core.body import EMPTY, Body


def test_the_bytes_stay_as_they_came() -> None:
    raw = b'{ "b" : 1.0,\n "a" : "\\u0041" }'
    body = Body(raw)
    assert body.view() == {"b": 1.0, "a": "A"}
    assert body.raw is raw
    assert len(body) == len(raw)


def test_a_body_is_decoded_once_and_only_when_asked() -> None:
    seen: list[bytes] = []

    def decode(raw: bytes) -> Any:
        seen.append(raw)
        return {"a": 1}

    body = Body(b"{}", decode=decode)
    assert seen == []
    assert body.view() is body.view()
    assert seen == [b"{}"]


def test_a_view_that_is_already_known_is_not_made_again() -> None:
    known = {"a": 1}
    assert Body(b"not json", view=known).view() is known


@pytest.mark.parametrize("raw", [b"", b"[]", b'"x"', b"1", b"null", b"{", b'{"a":1}x', b"\xff"])
def test_what_is_no_json_object_has_no_view(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Body(raw).view()


def test_a_repr_shows_the_size_and_never_the_content() -> None:
    assert repr(Body(b'{"password":"hush"}')) == "Body(19 bytes)"
    assert repr(Body(b"{}", failed=True)) == "Body(2 bytes, failed)"


def test_the_empty_body_is_an_object() -> None:
    assert EMPTY.view() == {}
