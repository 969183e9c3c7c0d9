"""URLs of upstreams, when their configuration is read."""

from collections.abc import Sequence

import pytest

from connectors.urls import check_url


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("https://mcp.example/mcp", []),
        ("http://[::1]:8080/mcp", []),
        ("http://127.0.0.1:{port}/mcp", ["server", "{port}"]),
    ],
)
def test_a_url_that_can_be_asked_is_taken(text: str, command: Sequence[str]) -> None:
    check_url(text, command)


@pytest.mark.parametrize(
    ("text", "command", "why"),
    [
        ("http://127.0.0.1:{port}/mcp", [], "if, and only if, there is a command"),
        ("http://127.0.0.1:8080/mcp", ["server"], "if, and only if, there is a command"),
        ("ftp://mcp.example/", [], "not an http or https URL"),
        ("mcp.example", [], "not an http or https URL"),
        ("https://user:hunter2@mcp.example/", [], "credentials do not belong"),
        ("https://mcp.example/\nx", [], "characters that no URL has"),
        ("https:///mcp", [], "no plain host"),
        ("https://mcp.example:99999/", [], "[Pp]ort"),
    ],
)
def test_a_url_that_cannot_is_refused_without_what_may_be_secret(
    text: str, command: Sequence[str], why: str
) -> None:
    with pytest.raises(ValueError, match=why) as told:
        check_url(text, command)
    assert "hunter2" not in str(told.value)
