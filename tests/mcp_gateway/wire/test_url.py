"""A URL that two readers could take for two hosts is no URL."""

import pytest

from mcp_gateway.wire.url import Origin, Url, parse


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://Example.com", Url(Origin("http", "example.com", 80), "example.com", "/")),
        (
            "https://example.com:8443/a/b?c=d#e",
            Url(Origin("https", "example.com", 8443), "example.com:8443", "/a/b?c=d"),
        ),
        ("HTTPS://a.b", Url(Origin("https", "a.b", 443), "a.b", "/")),
        ("http://a.b:80/", Url(Origin("http", "a.b", 80), "a.b:80", "/")),
        ("http://a_b:99?x", Url(Origin("http", "a_b", 99), "a_b:99", "/?x")),
        ("http://[::1]:80/x", Url(Origin("http", "::1", 80), "[::1]:80", "/x")),
        ("http://[2A00::1]", Url(Origin("http", "2a00::1", 80), "[2a00::1]", "/")),
        ("http://xn--9ca.de/", Url(Origin("http", "xn--9ca.de", 80), "xn--9ca.de", "/")),
    ],
)
def test_a_url_is_read_into_its_parts(text: str, url: Url) -> None:
    assert parse(text) == url


def test_a_url_says_itself_in_absolute_form() -> None:
    assert parse("http://a.b:81/x?y#z").absolute == "http://a.b:81/x?y"


@pytest.mark.requirement("http:nothing-starts-another-line")
@pytest.mark.parametrize(
    "text",
    [
        "http://a.b/x\r\nx-evil: 1",
        "http://a.b/\n",
        "http://a.b\r\n.evil.com/",
        "ht\ntp://a.b/",
        "http://a.b/\tx",
        "http://a.b/x y",
        "http://a.b/\x00",
        " http://a.b/",
        "http://a.b/ ",
        "http://a.b/é",
        "http://bücher.de/",
        "http://127。0。0。1/",
        "http://①.com/",
    ],
)
def test_characters_that_no_url_has_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="characters that no URL has"):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://user@a.b/",
        "http://user:pass@a.b/",
        "http://@a.b/",
        "http://:@a.b/",
        "http://a.b@evil.com/",
        "http://a.b:80@evil.com/",
        "http://a.b\\@evil.com/",
        "http://evil.com\\.a.b/",
        "http://a.b:/",
        "http://a.b:80:81/",
        "http://a.b:+80/",
        "http://a.b:8_0/",
        "http://a..b/",
        "http://.a/",
        "http://a.b../",
        "http:///x",
        "http://",
        "http:a.b",
        "http://a%2eb/",
        "http://a,b/",
        "http://a;b/",
        "http://[::1/",
        "http://::1/",
        "http://[::1]evil.com/",
        "http://[fe80::1%25eth0]/",
        "http://[v1.x]/",
        "http://[]/",
        "http://a.b:0/",
        "http://a.b:65536/",
        "http://a.b:99999999/",
        "ftp://a.b/",
        "file:///etc/passwd",
        "//a.b/",
        "a.b",
        "javascript:alert(1)",
        "http+unix://a/",
        "http://" + "a" * 64 + ".com/",
    ],
)
def test_what_is_no_plain_http_url_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # of several messages any will do
        parse(text)


def test_a_refusal_does_not_repeat_what_may_be_secret() -> None:
    for text in ("http://user:secret@a.b/", "http://a.b/?token=secret\n", "http://a.b:0/?secret"):
        with pytest.raises(ValueError) as failure:  # noqa: PT011  # the message is what is looked at
            parse(text)
        assert "secret" not in str(failure.value)


def test_an_origin_names_itself_as_connect_wants_it() -> None:
    assert Origin("https", "a.b", 443).authority == "a.b:443"
    assert Origin("https", "::1", 443).authority == "[::1]:443"
