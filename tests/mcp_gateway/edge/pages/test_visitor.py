"""A page is for whoever the one cookie stands for."""

import pytest
from starlette.requests import Request

from mcp_gateway.edge.pages.visitor import visitor
from tests.support.connecting import ALICE_THERE, PUBLIC
from tests.support.oauth_fakes import FakeBrowsers

BROWSERS = FakeBrowsers({"alices": ALICE_THERE})


def asked(*cookies: str) -> Request:
    headers = [(b"cookie", "; ".join(cookies).encode())] if cookies else []
    return Request({"type": "http", "method": "GET", "path": "/", "headers": headers})


async def test_the_person_is_whom_the_cookie_stands_for() -> None:
    person = await visitor(asked("other=x", "mcpgw=alices"), BROWSERS, PUBLIC)

    assert person
    assert person.principal == ALICE_THERE


@pytest.mark.parametrize(
    "cookies", [(), ("mcpgw=",), ("mcpgw=nobodys",), ("mcpgw=alices", "mcpgw=alices")]
)
async def test_without_one_cookie_that_is_known_it_is_nobody(cookies: tuple[str, ...]) -> None:
    assert await visitor(asked(*cookies), BROWSERS, PUBLIC) is None


async def test_where_nobody_can_log_in_it_is_nobody() -> None:
    assert await visitor(asked("mcpgw=alices"), None, PUBLIC) is None
