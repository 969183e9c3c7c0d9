"""The way to the provider and back is one browser's, and leads to pages of the gateway alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx2
import pytest
from starlette.applications import Starlette

from mcp_gateway.core.errors import Overloaded
from mcp_gateway.core.principal import Principal
from mcp_gateway.edge.failures import MOST_FAILURES, Failures
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.pages.provider import ProviderPages
from mcp_gateway.oauth.ports import Person
from mcp_gateway.services.relying_party import LoginFailed

PUBLIC = "https://gateway.example.com"
ADA = Person("person:1", Principal("https://login.example.com", "ada", "acme"))
START, CALLBACK = "/oauth/login/start", "/oauth/login/callback"
COOKIE = "__Host-mcpgw-provider"


@dataclass
class Bench:
    """What is behind the pages, in memory; `failure` is what it says instead."""

    failure: Exception | None = None
    began: list[tuple[str, str]] = field(default_factory=list)
    came: list[tuple[Mapping[str, str], str]] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    full: bool = False

    async def begin(self, next_: str, browser: str, peer: str) -> str:  # noqa: ARG002
        self.began.append((next_, browser))
        if self.failure:
            raise self.failure
        return "https://login.example.com/auth?state=s"

    async def finish(self, query: Mapping[str, str], browser: str) -> tuple[Person, str]:
        self.came.append((query, browser))
        if self.failure:
            raise self.failure
        return ADA, "/connections"

    async def log_in(self, person: Person, before: str) -> str:
        assert person is ADA
        if self.full:
            raise Overloaded("the ledger is full")
        self.before.append(before)
        return "fresh"

    async def log_out(self, cookie: str) -> None:
        raise AssertionError(cookie)

    def browser(self) -> httpx2.AsyncClient:
        origins = Origins(PUBLIC, "127.0.0.1:8080", [], [])
        pages = ProviderPages(PUBLIC, origins, self, self, Failures())
        transport = httpx2.ASGITransport(app=Starlette(routes=list(pages.routes())))
        return httpx2.AsyncClient(transport=transport, base_url=PUBLIC)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.requirement("login:at-a-provider")
async def test_the_browser_that_left_is_the_one_that_comes_back(bench: Bench) -> None:
    async with bench.browser() as browser:
        left = await browser.get(START, params={"next": "/connections"})
        again = await browser.get(START, params={"next": "/connections"})
        back = await browser.get(CALLBACK, params={"state": "s", "code": "c"})

    assert (left.status_code, back.status_code) == (303, 303)
    assert left.headers["location"] == "https://login.example.com/auth?state=s"
    assert back.headers["location"] == "/connections"
    known = {browser for _, browser in bench.began} | {browser for _, browser in bench.came}
    assert len(known) == 1
    assert again.status_code == 303
    for answer in (left, back):
        said = answer.headers["set-cookie"]
        assert "HttpOnly" in said
        assert "Secure" in said
        assert "samesite=lax" in said.lower()
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.requirement("login:at-a-provider")
@pytest.mark.parametrize(
    "next_",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/connections/../x",
        "/admin",
        "",
    ],
)
async def test_nobody_is_sent_elsewhere_from_here(bench: Bench, next_: str) -> None:
    async with bench.browser() as browser:
        answer = await browser.get(START, params={"next": next_})

    assert answer.status_code == 400
    assert not bench.began


async def test_the_cookie_that_the_browser_had_is_replaced(bench: Bench) -> None:
    async with bench.browser() as browser:
        headers = {"cookie": f"__Host-mcpgw=old; {COOKIE}=b"}
        answer = await browser.get(CALLBACK, params={"state": "s"}, headers=headers)

    assert answer.status_code == 303
    assert bench.before == ["old"]
    assert "__Host-mcpgw=fresh" in answer.headers["set-cookie"]


@pytest.mark.requirement("login:failures-are-limited")
async def test_who_fails_too_often_is_not_heard_for_a_while(bench: Bench) -> None:
    bench.failure = LoginFailed("it was <b>not</b> Ada")
    async with bench.browser() as browser:
        answers = [await browser.get(CALLBACK) for _ in range(MOST_FAILURES + 1)]

    assert [answer.status_code for answer in answers] == [403] * MOST_FAILURES + [429]
    assert "It was &lt;b&gt;not&lt;/b&gt; Ada." in answers[0].text
    assert len(bench.came) == MOST_FAILURES


async def test_where_nobody_can_be_sent_the_page_says_why(bench: Bench) -> None:
    bench.failure = LoginFailed("Example Works cannot log you in just now")
    async with bench.browser() as browser:
        answer = await browser.get(START, params={"next": "/connections"})

    assert answer.status_code == 403
    assert "Example Works cannot log you in just now." in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.requirement("login:recorded-before-it-is-good")
async def test_a_log_in_that_cannot_be_recorded_is_none(bench: Bench) -> None:
    bench.full = True
    async with bench.browser() as browser:
        answer = await browser.get(CALLBACK, params={"state": "s"})

    assert answer.status_code == 503
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "https://evil.example"}])
async def test_it_is_not_at_another_host_and_not_of_another_page(
    bench: Bench, headers: dict[str, str]
) -> None:
    async with bench.browser() as browser:
        answer = await browser.get(CALLBACK, params={"state": "s"}, headers=headers)

    assert answer.status_code in (403, 421)
    assert not bench.came


async def test_a_parameter_that_stands_twice_is_not_chosen_from(bench: Bench) -> None:
    async with bench.browser() as browser:
        answer = await browser.get(f"{CALLBACK}?state=a&state=b&code=c")

    assert answer.status_code == 400
    assert not bench.came
