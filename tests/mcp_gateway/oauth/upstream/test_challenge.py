"""A challenge is a stranger's text: it is understood in one way, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.oauth.upstream.challenge import NO_CHALLENGE, Challenge, read

URL = "https://up.example.com/.well-known/oauth-protected-resource"


@pytest.mark.requirement("upstream:challenges-are-read-strictly")
@pytest.mark.parametrize(
    ("header", "found"),
    [
        (f'Bearer resource_metadata="{URL}"', Challenge(URL)),
        (f'bearer Resource_Metadata="{URL}", scope="b a"', Challenge(URL, frozenset("ab"))),
        ("Bearer error=insufficient_scope", Challenge(error="insufficient_scope")),
        (r'Bearer error="in\"valid"', Challenge(error='in"valid')),
        ('Bearer realm="a, b=c", scope = "a"', Challenge(scopes=frozenset("a"))),
        ('Basic realm="x", Bearer scope="a"', Challenge(scopes=frozenset("a"))),
        ('Bearer scope="a", Basic realm="x"', Challenge(scopes=frozenset("a"))),
        ("Negotiate YWJj==, Bearer scope=a", Challenge(scopes=frozenset("a"))),
        ("Bearer , Basic realm=x", Challenge()),
        (", ,Bearer scope=a,,", Challenge(scopes=frozenset("a"))),
        ("Bearer", NO_CHALLENGE),
        ("Basic scope=a", NO_CHALLENGE),
        ("", NO_CHALLENGE),
    ],
)
def test_what_bearer_is_challenged_with_is_found_among_the_others(
    header: str, found: Challenge
) -> None:
    assert read(header) == found


@pytest.mark.requirement("attack:c11")
@pytest.mark.parametrize(
    "header",
    [
        f'Bearer resource_metadata="{URL}", resource_metadata="https://evil.example.com"',
        f'Bearer scope=a, Bearer resource_metadata="{URL}"',
        "Bearer scope=a, SCOPE=b",
        'Bearer scope="a',
        'Bearer scope="a" scope2="b"',
        "Bearer =a",
        "(x)",
        'Bearer scope="a\x7fb"',
        "Bearer scope=a, \x00",
    ],
)
def test_a_challenge_that_two_readers_could_understand_in_two_ways_is_none(header: str) -> None:
    with pytest.raises(ValueError, match=r"challenge|scope"):
        read(header)


@given(st.text(alphabet='Bearer sco=p",\\a \t', max_size=60))
def test_every_text_is_a_challenge_or_refused(header: str) -> None:
    try:
        found = read(header)
    except ValueError:
        return
    assert all('"' not in word and " " not in word for word in found.scopes)
