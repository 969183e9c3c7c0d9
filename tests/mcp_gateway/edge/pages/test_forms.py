import pytest
from starlette.requests import Request

from mcp_gateway.edge.asgi import HttpError
from mcp_gateway.edge.pages.forms import LARGEST, MOST, check_token, form_of, once, token_of

COOKIE = "a cookie"
FORM = b"application/x-www-form-urlencoded"


def request(body: bytes, media: bytes = FORM, *, breaks: bool = False) -> Request:
    async def receive() -> dict[str, object]:
        if breaks:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": body}

    headers = [(b"content-type", media)] if media else []
    return Request({"type": "http", "headers": headers}, receive)


async def test_a_form_is_read_as_it_was_filled_in() -> None:
    assert await form_of(request(b"a=1&b=x%20y&c=")) == {"a": "1", "b": "x y", "c": ""}
    assert await form_of(request(b"", b"")) == {}


@pytest.mark.parametrize(
    ("body", "media", "status"),
    [
        (b"a=1&a=2", FORM, 400),
        (b"a=1", b"application/json", 415),
        (b"a=1", b"", 415),
        (b"a=" + b"x" * LARGEST, FORM, 413),
        (b"&".join(b"n%d=1" % n for n in range(MOST + 1)), FORM, 400),
    ],
    ids=["twice", "no form", "nothing", "too large", "too many"],
)
async def test_what_can_be_read_in_two_ways_or_is_no_form_is_refused(
    body: bytes, media: bytes, status: int
) -> None:
    with pytest.raises(HttpError) as refused:
        await form_of(request(body, media))

    assert refused.value.status == status


async def test_a_form_that_stops_on_its_way_is_none() -> None:
    with pytest.raises(HttpError, match="did not arrive whole"):
        await form_of(request(b"", breaks=True))


def test_a_query_is_read_likewise() -> None:
    with pytest.raises(HttpError, match="stands twice"):
        once("code=a&code=b")


def test_the_token_of_a_form_is_of_its_page_and_its_browser_alone() -> None:
    check_token({"token": token_of(COOKIE, "/a")}, COOKIE, "/a")

    for token in ("", "é", token_of(COOKIE, "/b"), token_of("another", "/a")):
        with pytest.raises(HttpError) as refused:
            check_token({"token": token}, COOKIE, "/a")
        assert refused.value.status == 403
    assert COOKIE not in token_of(COOKIE, "/a")
