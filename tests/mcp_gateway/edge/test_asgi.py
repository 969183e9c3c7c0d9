"""Headers that stand once, bodies that end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.edge.asgi import ONCE, HttpError, headers_of, read_body, respond
from tests.support.asgi import Exchange


@pytest.mark.requirement("edge:headers-stand-once")
@pytest.mark.parametrize("name", sorted(ONCE))
@pytest.mark.parametrize("second", [b"same", b"other"])
def test_a_header_that_decides_stands_once(name: bytes, second: bytes) -> None:
    with pytest.raises(HttpError) as refused:
        headers_of({"headers": [(name, b"same"), (b"x", b"y"), (name, second)]})

    assert refused.value.status == 400
    assert name.decode() in refused.value.text


def test_other_headers_are_joined_in_their_order() -> None:
    found = headers_of({"headers": [(b"accept", b"a"), (b"host", b"h"), (b"accept", b"b;q=1")]})

    assert found == {b"accept": b"a, b;q=1", b"host": b"h"}


async def _read(chunks: list[bytes], most: int) -> bytes:
    return await read_body(Exchange(chunks).receive, most)


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=12), st.integers(0, 100))
async def test_a_body_is_whole_up_to_its_bound_however_it_is_cut(
    chunks: list[bytes], most: int
) -> None:
    whole = b"".join(chunks)

    if len(whole) <= most:
        assert await _read(chunks, most) == whole
    else:
        with pytest.raises(HttpError) as refused:
            await _read(chunks, most)
        assert refused.value.status == 413


@pytest.mark.requirement("edge:bodies-are-bounded")
async def test_a_body_without_an_end_is_read_no_further_than_its_bound() -> None:
    read = 0

    async def endless() -> dict[str, object]:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

    with pytest.raises(HttpError):
        await read_body(endless, 10_000)

    assert read == 11


async def test_a_caller_who_leaves_while_sending_is_gone() -> None:
    exchange = Exchange([])
    exchange.hang_up.set()

    with pytest.raises(ConnectionError):
        await read_body(exchange.receive, 10)


async def test_an_answer_says_its_length() -> None:
    exchange = Exchange()

    await respond(exchange.send, 200, b"{}")

    assert exchange.answered.headers == [
        (b"content-type", b"application/json"),
        (b"content-length", b"2"),
    ]
    assert (exchange.answered.body, exchange.answered.whole) == (b"{}", True)
