"""URLs of upstreams, when their configuration is read."""

from collections.abc import Sequence

import pytest

from connectors.urls import check_url, within


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


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("/messages?id=1", "https://mcp.example/messages?id=1"),
        ("messages", "https://mcp.example/a/messages"),
        ("https://MCP.example:443/m", "https://MCP.example:443/m"),
    ],
)
def test_a_reference_leads_on_within_its_origin(reference: str, found: str) -> None:
    assert within("https://mcp.example/a/sse", reference) == found


@pytest.mark.parametrize(
    "reference",
    [
        "http://mcp.example/m",
        "https://mcp.example:8443/m",
        "https://mcp.example.evil/m",
        "https://mcp.example@evil.example/m",
        "//evil.example/m",
        "https://127.0.0.1/m",
        "file:///etc/passwd",
        "https://mcp.example/m\r\nx: y",
    ],
)
@pytest.mark.requirement("upstreams:http-and-sse")
def test_and_nowhere_else(reference: str) -> None:
    with pytest.raises(ValueError, match=r"origin|URL"):
        within("https://mcp.example/a/sse", reference)
