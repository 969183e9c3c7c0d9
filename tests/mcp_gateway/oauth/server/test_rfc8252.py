"""Where a client's answer goes: an address that two readers could take for two is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.oauth.server.rfc8252 import (
    LONGEST,
    LOOPBACK,
    check_redirect,
    chosen,
    host_of,
    is_loopback,
    matches,
    origin_of,
)

HOSTS = st.sampled_from(sorted(LOOPBACK))
PORTS = st.none() | st.integers(1, 65_535)
PATHS = st.from_regex(r"(/[a-z0-9_-]{1,8}){0,3}", fullmatch=True)
QUERIES = st.from_regex(r"(\?[a-z0-9=&]{0,8})?", fullmatch=True)


def local(parts: tuple[str, str, str], port: int | None) -> str:
    host, path, query = parts
    return f"http://{host}{'' if port is None else f':{port}'}{path}{query}"


@pytest.mark.parametrize(
    "redirect",
    [
        "https://app.example.com/callback",
        "https://app.example.com:8443/callback?tenant=1",
        "https://xn--bcher-kva.example/cb",
        "https://vscode.dev/redirect",
        "http://127.0.0.1/callback",
        "http://127.0.0.1:33418/",
        "http://localhost:8787/callback",
        "http://[::1]:7777/oauth/callback",
        "http://localhost",
    ],
)
def test_addresses_of_the_web_and_of_this_machine_are_taken(redirect: str) -> None:
    check_redirect(redirect)


@pytest.mark.requirement("attack:d1")
@pytest.mark.parametrize(
    "redirect",
    [
        "http://localhost:80@evil.example/cb",
        "http://localhost@evil.example/cb",
        "http://127.0.0.1:1234@evil.example/",
        "https://user:password@app.example.com/cb",
        "https://@app.example.com/cb",
        "https://app.example.com\\@evil.example/cb",
        "https://app.example.com./cb",
        "http://localhost./cb",
        "http://localhost.evil.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://127.0.0.2/cb",
        "http://127.1/cb",
        "http://2130706433/cb",
        "http://0x7f000001/cb",
        "http://0.0.0.0/cb",
        "http://[::ffff:127.0.0.1]/cb",
        "http://[0:0:0:0:0:0:0:1]/cb",
        "http://[not-an-ip]/cb",
        "https://[not-an-ip]/cb",
        "https://2130706433/cb",
        "http://app.example.com/cb",
        "HTTP://localhost/cb",
        "http://LOCALHOST/cb",
        "https://APP.example.com/cb",
        "http://localhost:0/cb",
        "http://localhost:65536/cb",
        "http://localhost:99999/cb",
        "http://localhost:/cb",
        "http://localhost:٨٠/cb",
        "https://app.example.com:0/cb",
        "https://app.example.com/cb#fragment",
        "http://localhost/cb#",
        "https://app.example.com/a/../cb",
        "https://app.example.com/a/./cb",
        "https://app.example.com/..",
        "https://app.example.com/%2e%2e/cb",
        "https://app.example.com/.%2E/cb",
        "http://localhost/a/%2e/cb",
        "https://app.example.com/cb\r\nset-cookie: a=b",
        "https://app.example.com/cb\n",
        "https://app.example.com/\tcb",
        "https://app.example.com/c b",
        "https://bücher.example/cb",
        "https://app.example.com/cbé",
        "https://\u0430pp.example.com/cb",
        "javascript:alert(1)",
        "data:text/html,hello",
        "file:///etc/passwd",
        "ws://localhost/cb",
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "//app.example.com/cb",
        "/cb",
        "app.example.com/cb",
        "https:app.example.com/cb",
        "https:///cb",
        "https://",
        "",
        "https://app.example.com/" + "a" * LONGEST,
    ],
)
def test_what_two_readers_could_take_for_two_addresses_is_none(redirect: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        check_redirect(redirect)


def test_a_scheme_of_a_programs_own_is_taken_where_it_is_listed() -> None:
    check_redirect("cursor://anysphere.cursor-mcp/oauth/callback", ["cursor"])

    with pytest.raises(ValueError, match="cursors"):
        check_redirect("cursors://anysphere.cursor-mcp/oauth/callback", ["cursor"])
    with pytest.raises(ValueError, match="scheme"):
        check_redirect("Cursor://anysphere.cursor-mcp/oauth/callback", ["cursor"])


@given(st.tuples(HOSTS, PATHS, QUERIES), PORTS, PORTS)
def test_of_a_loopback_address_the_port_is_free(
    parts: tuple[str, str, str], ours: int | None, theirs: int | None
) -> None:
    registered, asked = local(parts, ours), local(parts, theirs)

    assert matches(asked, registered)
    assert chosen(asked, ["https://app.example.com/cb", registered]) == asked


@pytest.mark.requirement("attack:d1")
@given(st.tuples(HOSTS, PATHS, QUERIES), st.tuples(HOSTS, PATHS, QUERIES), PORTS, PORTS)
def test_and_nothing_else_of_it(
    ours: tuple[str, str, str], theirs: tuple[str, str, str], one: int | None, other: int | None
) -> None:
    registered, asked = local(ours, one), local(theirs, other)

    assert matches(asked, registered) == (ours == theirs)


@pytest.mark.requirement("attack:d1")
@given(
    st.sampled_from(["https://app.example.com/cb", "cursor://one/cb", "https://localhost/cb"]),
    st.text(alphabet="htps:/.@#?%2ecb0189[]-ap \\exmlo", max_size=40),
)
def test_any_other_address_matches_as_the_same_string_alone(registered: str, asked: str) -> None:
    assert matches(asked, registered) == (asked == registered)
    assert not matches(registered.replace("/cb", ":8080/cb"), registered)


@given(st.text(max_size=60))
def test_whatever_is_taken_is_ascii_with_neither_credentials_nor_fragment(text: str) -> None:
    for asked in (text, f"https://{text}", f"http://localhost{text}", f"https://a.example/{text}"):
        try:
            check_redirect(asked)
        except ValueError:
            continue
        assert asked.isascii()
        assert asked.isprintable()
        assert not set(asked) & set("#\\ <>\"'`{}|^") - {"'"}
        assert "@" not in asked.split("/")[2]


@pytest.mark.requirement("attack:d1")
@pytest.mark.parametrize(
    "asked",
    [
        "http://localhost:51180/other",
        "http://localhost:51180/callback/",
        "http://localhost:51180/call%62ack",
        "http://localhost:51180/callback?extra=1",
        "http://localhost:51180/callback#f",
        "http://user@localhost:51180/callback",
        "https://localhost:51180/callback",
        "http://[::1]:51180/callback",
        "http://localhost:51180",
    ],
)
def test_a_client_of_portless_loopback_gets_no_other_address(asked: str) -> None:
    published = ["http://localhost/callback", "http://127.0.0.1/callback"]

    assert chosen("http://localhost:51180/callback", published)
    with pytest.raises(ValueError, match=r"\S"):
        chosen(asked, published)


def test_the_only_address_of_a_client_is_meant_where_none_is_named() -> None:
    one = "https://app.example.com/cb"

    assert chosen("", [one]) == one
    for registered in ([], [one, "https://app.example.com/other"]):
        with pytest.raises(ValueError, match="missing"):
            chosen("", registered)


def test_an_address_that_is_not_allowed_any_more_is_not_gone_to() -> None:
    with pytest.raises(ValueError, match="cursor"):
        chosen("", ["cursor://one/cb"])


@pytest.mark.parametrize(
    ("redirect", "host", "origin", "loopback"),
    [
        ("https://app.example.com/cb", "app.example.com", "https://app.example.com", False),
        ("https://a.example:8443/cb", "a.example:8443", "https://a.example:8443", False),
        ("http://127.0.0.1:99/cb", "127.0.0.1", "http://127.0.0.1:99", True),
        ("http://[::1]:99/cb", "::1", "http://[::1]:99", True),
        ("cursor://one/cb", "cursor:", "cursor:", False),
    ],
)
def test_a_page_is_told_where_the_answer_goes(
    redirect: str, host: str, origin: str, *, loopback: bool
) -> None:
    assert (host_of(redirect), origin_of(redirect), is_loopback(redirect)) == (
        host,
        origin,
        loopback,
    )


@pytest.mark.parametrize("text", ["cursor://[x", "cursor://[::1", "cursor://a]b"])
def test_an_address_of_a_programs_own_scheme_has_a_host_that_can_be_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_redirect(text, {"cursor"})
