import pytest

from mcp_gateway.oauth.server.rfc6749 import OAuthError
from mcp_gateway.oauth.server.rfc8707 import chosen

WHOLE = "https://gw.example/mcp"
ONE = "https://gw.example/servers/one/mcp"
OURS = {WHOLE, ONE}


@pytest.mark.requirement("authorization:one-endpoint")
@pytest.mark.parametrize(
    ("asked", "resource"),
    [((), WHOLE), ((WHOLE,), WHOLE), ((ONE,), ONE), ((ONE, ONE), ONE)],
)
def test_the_endpoint_that_is_named_is_chosen_and_the_whole_where_none_is(
    asked: tuple[str, ...], resource: str
) -> None:
    assert chosen(asked, OURS, WHOLE) == resource


@pytest.mark.requirement("authorization:one-endpoint")
@pytest.mark.parametrize(
    "asked",
    [
        (WHOLE, ONE),
        ("https://gw.example/",),
        ("https://gw.example/mcp/",),
        ("https://GW.example/mcp",),
        ("https://gw.example:443/mcp",),
        ("https://gw.example/mcp#x",),
        ("https://gw.example/mcp?x",),
        ("https://gw.example/servers/../mcp",),
        ("https://evil.example/mcp",),
        (ONE, "https://evil.example/mcp"),
    ],
)
def test_several_and_what_only_looks_like_ours_are_no_target(asked: tuple[str, ...]) -> None:
    with pytest.raises(OAuthError) as error:
        chosen(asked, OURS, WHOLE)
    assert error.value.code == "invalid_target"
