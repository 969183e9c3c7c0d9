"""Whatever stands around a secret, it does not get through."""

import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.telemetry.redaction import GONE, redacted

URL_SAFE = string.ascii_letters + string.digits + "-_"
TOKEN = URL_SAFE + ".~+/="
ANYTHING = st.text(max_size=60)


def of(alphabet: str, least: int, most: int = 80) -> st.SearchStrategy[str]:
    """A secret that is not a word of the text around it by chance."""
    return st.text(alphabet, min_size=least, max_size=most).map(lambda text: f"Qz9{text}")


KEYS = st.tuples(st.from_regex(r"[0-9a-f]{8}", fullmatch=True), of(URL_SAFE, 40, 40)).map(
    lambda parts: (f"mcpgw_{parts[0]}_{parts[1]}", parts[1])
)
TOKENS = st.tuples(of(URL_SAFE, 10), of(URL_SAFE, 10), of(URL_SAFE, 20)).map(
    lambda parts: (f"eyJ{parts[0]}.eyJ{parts[1]}.{parts[2]}", parts[2])
)
BEARERS = st.tuples(st.sampled_from(["Bearer", "bearer", "BASIC", "DPoP"]), of(TOKEN, 8)).map(
    lambda parts: (f"{parts[0]} {parts[1]}", parts[1])
)
URLS = st.tuples(
    st.sampled_from(["https", "http", "postgresql+psycopg", "redis"]),
    of(URL_SAFE, 0, 8),
    of(URL_SAFE + "!$&()*+,;=%:@", 5),
).map(lambda parts: (f"{parts[0]}://{parts[1]}:{parts[2]}@host.example/path", parts[2]))
QUERIES = st.tuples(
    st.sampled_from(["access_token", "token", "api_key", "client_secret", "password", "id_token"]),
    of(TOKEN, 8),
).map(lambda parts: (f"/callback?x=1&{parts[0]}={parts[1]}&y=2", parts[1]))
HEADERS = st.tuples(
    st.sampled_from(["Authorization", "proxy-authorization", "Cookie", "X-Api-Key"]),
    st.sampled_from(["{}: {}\r\n", "'{}': '{}'", '"{}": "{}"', "(b'{}', b'{}')", '["{}","{}"]']),
    st.sampled_from(["", "Basic ", "Token token=", "a=b; sid=", "AWS4 Credential=x, Signature="]),
    of(TOKEN, 1),
).map(lambda parts: (parts[1].format(parts[0], parts[2] + parts[3]), parts[3]))
PRIVATE = of(string.ascii_letters + "\n", 60, 200).map(
    lambda body: (f"-----BEGIN EC PRIVATE KEY-----\n{body}", body.split("\n")[0])
)
SECRETS = st.one_of(KEYS, TOKENS, BEARERS, URLS, QUERIES, HEADERS, PRIVATE)


@pytest.mark.requirement("operations:logs-hold-no-secrets")
@given(before=ANYTHING, secret=SECRETS, after=ANYTHING)
def test_no_secret_gets_through_whatever_stands_around_it(
    before: str, secret: tuple[str, str], after: str
) -> None:
    written, value = secret

    said = redacted(f"{before} {written} {after}")

    assert value not in said
    assert GONE in said


@given(
    secrets=st.lists(SECRETS, min_size=2, max_size=5), between=st.sampled_from([" ", ", ", "\n"])
)
def test_one_secret_does_not_hide_another(secrets: list[tuple[str, str]], between: str) -> None:
    said = redacted(between.join(written for written, _ in secrets))

    assert not any(value in said for _, value in secrets)


@given(text=ANYTHING, secret=SECRETS)
def test_what_was_redacted_stays_as_it_is(text: str, secret: tuple[str, str]) -> None:
    once = redacted(f"{text} {secret[0]}")

    assert redacted(once) == once


@given(st.text(string.ascii_letters + string.digits + " .,-/#()\n", max_size=200))
def test_plain_words_are_left_alone(text: str) -> None:
    """Only a word that names a scheme, such as `basic`, may take the next one with it."""
    if not any(scheme in text.lower() for scheme in ("bear", "basic", "digest", "nego", "dpop")):
        assert redacted(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "servers.github.grant.secret: a static grant has a secret, and no other has",
        "Not authenticated: the token has expired.",
        "the server away: away: no connection to 127.0.0.1: Connection refused",
        "policy.csv:3: the effect 'Allow' is neither allow nor deny",
        "http://127.0.0.1:8080/mcp",
        "ask security@example.com about the call 1a20b6b02913db0a505ab06bb8b",
    ],
)
def test_what_operators_have_to_read_stays_readable(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mcpgw_1b29801d_abc", "mcpgw_[redacted]"),
        ("https://u:p@h/x", "https://[redacted]@h/x"),
        ("https://ghp_token@h/x", "https://[redacted]@h/x"),
        ("Authorization: Basic YTpi\nHost: h", "Authorization: [redacted]\nHost: h"),
        ("GET /?code=1&access_token=a HTTP/1.1", "GET /?code=1&access_token=[redacted] HTTP/1.1"),
        ("secret=hunter2;x=1", "secret=[redacted];x=1"),
        ("-----BEGIN PRIVATE KEY-----\nMC4\n-----END PRIVATE KEY----- x", "[redacted] x"),
        ("token=\ud800", "token=[redacted]"),
    ],
)
def test_only_the_secret_itself_is_taken_out(text: str, said: str) -> None:
    assert redacted(text) == said


def test_a_long_text_of_an_attackers_takes_no_longer_than_its_length() -> None:
    begun = time.process_time()
    for text in (
        "eyJ" + "a." * 200_000,
        "x://" * 100_000,
        "authorization:" * 50_000,
        "ey" * 200_000,
    ):
        redacted(text)

    assert time.process_time() - begun < 3
