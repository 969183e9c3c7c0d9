"""The table of RFC 9207, section 2.4, as MCP has it."""

import pytest

from mcp_gateway.oauth.upstream.rfc9207 import check

ISSUER = "https://as.example.com"


@pytest.mark.parametrize("advertised", [True, False])
def test_the_issuer_that_was_asked_may_say_so_unannounced(*, advertised: bool) -> None:
    check({"iss": ISSUER, "code": "c"}, ISSUER, advertised=advertised)


def test_who_never_said_that_it_would_name_itself_need_not() -> None:
    check({"code": "c"}, ISSUER, advertised=False)


@pytest.mark.requirement("attack:c1")
@pytest.mark.parametrize("rest", [{"code": "c"}, {"error": "access_denied"}])
@pytest.mark.parametrize(
    ("query", "advertised"),
    [
        ({}, True),
        ({"iss": "https://evil.example.com"}, True),
        ({"iss": "https://evil.example.com"}, False),
        ({"iss": f"{ISSUER}/"}, True),
        ({"iss": "https://AS.example.com"}, True),
        ({"iss": "https://as.example.com:443"}, False),
        ({"iss": ""}, False),
    ],
)
def test_an_answer_of_another_server_is_refused_whatever_it_says(
    query: dict[str, str], rest: dict[str, str], *, advertised: bool
) -> None:
    with pytest.raises(ValueError, match="authorization server"):
        check({**query, **rest}, ISSUER, advertised=advertised)
