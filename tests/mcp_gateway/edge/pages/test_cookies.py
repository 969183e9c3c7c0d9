from starlette.requests import Request
from starlette.responses import Response

from mcp_gateway.edge.pages import cookies


def request(header: str) -> Request:
    return Request({"type": "http", "headers": [(b"cookie", header.encode())]})


def test_over_https_no_other_host_can_set_it() -> None:
    answer = Response()
    cookies.put(answer, cookies.BROWSER, "https://gateway.example", "secret", 60)

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-mcpgw=secret;")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


def test_on_this_machine_it_goes_without_tls() -> None:
    answer = Response()
    cookies.put(answer, cookies.BROWSER, "http://127.0.0.1:8080", "secret", 60)

    assert answer.headers["set-cookie"].startswith("mcpgw=secret;")
    assert "Secure" not in answer.headers["set-cookie"]


def test_a_cookie_of_the_other_kind_is_not_read() -> None:
    plain = request("mcpgw=planted")

    assert cookies.value_of(plain, cookies.BROWSER, "https://gateway.example") == ""
    assert cookies.value_of(plain, cookies.BROWSER, "http://127.0.0.1:8080") == "planted"
