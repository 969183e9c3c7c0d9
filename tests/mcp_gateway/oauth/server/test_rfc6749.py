"""Parameters are read once each, whatever comes; errors are OAuth's own."""

import base64
from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.oauth.server.rfc6749 import (
    LONGEST,
    MOST_PARAMETERS,
    OAuthError,
    Parameters,
    basic,
    redirected,
    scopes_of,
    spelled,
)

VISIBLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=40)
NAMES = VISIBLE.filter(lambda name: name != "resource")
SCOPE = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"\\'),
    min_size=1,
    max_size=20,
)


@given(st.dictionaries(NAMES, VISIBLE, max_size=10), st.lists(VISIBLE, max_size=5))
def test_what_is_written_is_read_back(said: dict[str, str], resources: list[str]) -> None:
    pairs = [*said.items(), *(("resource", resource) for resource in resources)]

    parameters = Parameters.parse(urlencode(pairs))

    assert {name: parameters.get(name) for name in said} == said
    assert list(parameters.resources) == resources


@given(st.text(max_size=200))
def test_whatever_comes_is_read_or_refused_in_oauths_words(text: str) -> None:
    try:
        parameters = Parameters.parse(text)
    except OAuthError:
        return
    for name in parse_qs(text, keep_blank_values=True):
        value = parameters.get(name)
        assert value.isascii()
        assert value.isprintable()


@pytest.mark.requirement("attack:d25")
@given(st.dictionaries(NAMES, VISIBLE, min_size=1, max_size=6), st.data())
def test_a_parameter_that_stands_twice_is_refused_wherever_and_whatever_it_says(
    said: dict[str, str], data: st.DataObject
) -> None:
    pairs = list(said.items())
    twice = data.draw(st.sampled_from(sorted(said)))
    value = data.draw(VISIBLE | st.just("") | st.just(said[twice]))
    pairs.insert(data.draw(st.integers(0, len(pairs))), (twice, value))

    with pytest.raises(OAuthError, match="twice"):
        Parameters.parse(urlencode(pairs))


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a=1&&b=2",
        "a=%ff",
        "a=%00",
        "a=1%0d%0aSet-Cookie:x",
        "a=%C3%A9",
        "a%0a=1",
        "a=1&%61=2",
        "a=" + "x" * (LONGEST + 1),
        "&".join(f"p{n}=1" for n in range(MOST_PARAMETERS + 1)),
    ],
)
def test_what_is_no_form_or_holds_more_than_visible_characters_is_refused(text: str) -> None:
    with pytest.raises(OAuthError) as error:
        Parameters.parse(text)
    assert (error.value.code, error.value.status) == ("invalid_request", 400)


def test_an_empty_parameter_counts_as_left_out() -> None:
    parameters = Parameters.parse("scope=&resource=&code=x")

    assert (parameters.get("scope"), parameters.resources) == ("", ())
    assert parameters.need("code") == "x"
    with pytest.raises(OAuthError, match="scope is missing"):
        parameters.need("scope")
    assert Parameters.parse("").resources == ()


@given(st.frozensets(SCOPE, max_size=6))
def test_scopes_come_back_from_their_one_spelling(scopes: frozenset[str]) -> None:
    assert scopes_of(spelled(scopes)) == scopes
    assert scopes_of(f" {spelled(scopes)}  ") == scopes


@pytest.mark.parametrize("text", ['a"b', "a\\b", "a\tb", "a b\x7f", "é", "x" * 257])
def test_what_is_no_scope_is_refused(text: str) -> None:
    with pytest.raises(OAuthError) as error:
        scopes_of(text)
    assert error.value.code == "invalid_scope"


@given(VISIBLE, VISIBLE)
def test_an_id_and_a_secret_come_back_from_http_basic(name: str, secret: str) -> None:
    encoded = base64.b64encode(f"{quote_plus(name)}:{quote_plus(secret)}".encode())

    assert basic(b"Basic " + encoded) == (name, secret)
    assert basic(b"basic  " + encoded) == (name, secret)


@given(st.binary(max_size=60))
def test_whatever_stands_in_the_header_is_read_or_refused_as_the_client(raw: bytes) -> None:
    for header in (raw, b"Basic " + raw, b"Basic " + base64.b64encode(raw)):
        try:
            name, secret = basic(header)
        except OAuthError:
            continue
        assert isinstance(name + secret, str)


@pytest.mark.parametrize("header", [b"", b"Bearer x", b"Basic", b"Basic YQ==", b"Basic a:b"])
def test_what_is_not_http_basic_is_refused(header: bytes) -> None:
    with pytest.raises(OAuthError, match="not HTTP Basic") as error:
        basic(header)
    assert (error.value.code, error.value.status) == ("invalid_client", 401)


@given(st.dictionaries(SCOPE, st.text(max_size=20), max_size=5))
def test_an_answer_is_added_to_what_stands_in_the_address(answer: dict[str, str]) -> None:
    said = {name: [value] for name, value in answer.items() if value}
    for redirect in ("https://app.example/cb", "https://app.example/cb?own=1"):
        found = urlsplit(redirected(redirect, answer))
        assert (found.scheme, found.netloc, found.path) == ("https", "app.example", "/cb")
        assert {**parse_qs(found.query)} == {**parse_qs(urlsplit(redirect).query), **said}
