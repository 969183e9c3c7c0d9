"""What an upstream's error is told as. What becomes of its answers is in test_mcp_http.py."""

import pytest

from connectors.answers import said


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (b'{"code":-32000,"message":"out of tea"}', "the error -32000: out of tea"),
        (
            b'{"code":1,"message":"two\\nlines \\u001b[31mred\\u202e"}',
            "the error 1: twolines [31mred",
        ),
        (b'{"code":1}', "the error 1: "),
        (b"{}", "the error : "),
        (b'{"code":[1],"message":{"a":1}}', "the error [1]: {'a': 1}"),
        (b"[]", "an error that cannot be read"),
        (b'"x"', "an error that cannot be read"),
        (b"{", "an error that cannot be read"),
    ],
)
def test_an_error_is_told_in_a_line(error: bytes, words: str) -> None:
    assert said(error) == words


def test_an_error_is_told_shortly() -> None:
    assert len(said(b'{"code":%b,"message":"%b"}' % (b"9" * 18, b"x" * 100_000))) < 300
