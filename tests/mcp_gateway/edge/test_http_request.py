import pytest

from mcp_gateway.edge.http_request import MOST_HEADERS, RequestHead, TooLargeError


def test_headers_are_lower_case_and_end_without_blanks() -> None:
    asked = RequestHead()
    asked.add(b"Authorization", b"Bearer x \t", "1.1")
    assert asked.headers == [(b"authorization", b"Bearer x")]


def test_no_more_headers_than_the_bound_are_kept() -> None:
    asked = RequestHead()
    for _ in range(MOST_HEADERS):
        asked.add(b"x", b"y", "1.1")
    with pytest.raises(TooLargeError):
        asked.add(b"x", b"y", "1.1")
    assert len(asked.headers) == MOST_HEADERS


def test_a_head_without_its_wish_keeps_everything_else() -> None:
    asked = RequestHead()
    asked.url = b"/p?q"
    for name, value in ((b"Host", b"a"), (b"Connection", b"upgrade"), (b"Upgrade", b"h2c")):
        asked.add(name, value, "1.1")
    head = asked.without_upgrade("1.1", b"POST")
    assert head == b"POST /p?q HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
