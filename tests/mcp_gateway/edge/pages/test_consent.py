"""The consent page: one person, one browser, one request; see also the attacks."""

from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from mcp_gateway.core.errors import Overloaded
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.pages.consent import PATH, ConsentPage
from mcp_gateway.oauth.ports import Asking, AuthorizationFailed, Person
from tests.support.connected import token_in
from tests.support.connecting import ALICE_THERE, BOB_THERE, PUBLIC
from tests.support.oauth_fakes import FakeBrowsers

REQUEST = "r" * 43
BACK = "https://app.example/callback?code=c-1"
ASKING = Asking(
    client="https://app.example/client.json",
    name="An app",
    host="app.example",
    redirect_host="app.example",
    scopes=("mcp",),
    resource=f"{PUBLIC}/mcp",
    verified=True,
    form_action="https://app.example",
)


@dataclass
class Waiting:
    """Implements `ports.Authorizing`: one request, of the browser `here`."""

    failure: Exception | None = None
    answers: list[tuple[str, str]] = field(default_factory=list)

    async def asked(self, id: str, browser: str) -> Asking:  # noqa: A002  # as the port says
        if (id, browser) != (REQUEST, "here"):
            raise AuthorizationFailed("nothing waits")
        return ASKING

    async def approve(self, id: str, browser: str, person: Person) -> str:  # noqa: A002
        return await self._answered("yes", id, browser, person)

    async def deny(self, id: str, browser: str, person: Person) -> str:  # noqa: A002
        return await self._answered("no", id, browser, person)

    async def _answered(self, what: str, id_: str, browser: str, person: Person) -> str:
        await self.asked(id_, browser)
        if self.failure:
            raise self.failure
        self.answers.append((what, person.principal.subject))
        return BACK


def browser(waiting: Waiting, **cookies: str) -> httpx2.AsyncClient:
    people = FakeBrowsers({"alices": ALICE_THERE, "bobs": BOB_THERE})
    page = ConsentPage(PUBLIC, Origins(PUBLIC, "127.0.0.1:8080", [], []), waiting, lambda: people)
    transport = httpx2.ASGITransport(Starlette(routes=list(page.routes())))
    sent: dict[str, Any] = {"mcpgw": "alices", "mcpgw-authorize": "here"} | cookies
    kept = {name: value for name, value in sent.items() if value}
    return httpx2.AsyncClient(transport=transport, base_url=PUBLIC, cookies=kept)


@pytest.mark.parametrize("answer", ["yes", "no"])
async def test_a_person_answers_and_goes_back_to_the_client(answer: str) -> None:
    waiting = Waiting()
    async with browser(waiting) as alice:
        shown = await alice.get(f"{PATH}?request={REQUEST}")
        form = {"token": token_in(shown.text), "answer": answer}
        done = await alice.post(f"{PATH}?request={REQUEST}", data=form)

    assert (done.status_code, done.headers["location"]) == (303, BACK)
    assert waiting.answers == [(answer, "alice")]


async def test_what_is_neither_yes_nor_no_is_a_no() -> None:
    waiting = Waiting()
    async with browser(waiting) as alice:
        shown = await alice.get(f"{PATH}?request={REQUEST}")
        await alice.post(f"{PATH}?request={REQUEST}", data={"token": token_in(shown.text)})

    assert waiting.answers == [("no", "alice")]


async def test_who_published_the_name_is_said_and_where_the_answer_goes() -> None:
    async with browser(Waiting()) as alice:
        shown = await alice.get(f"{PATH}?request={REQUEST}")

    assert "published by <strong>app.example</strong>" in shown.text
    assert "anybody can take this name" not in shown.text
    assert "form-action 'self' https://app.example;" in shown.headers["content-security-policy"]
    assert "<script" not in shown.text


@pytest.mark.parametrize("cookies", [{"mcpgw": ""}, {"mcpgw": "nobodys"}])
async def test_who_is_not_logged_in_is_sent_there_and_back(cookies: dict[str, str]) -> None:
    async with browser(Waiting(), **cookies) as somebody:
        shown = await somebody.get(f"{PATH}?request={REQUEST}")

    assert shown.headers["location"] == (
        f"/oauth/login?next=%2Foauth%2Fconsent%3Frequest%3D{REQUEST}"
    )


async def test_another_browser_is_told_that_nothing_waits_there() -> None:
    async with browser(Waiting(), **{"mcpgw-authorize": "elsewhere"}) as other:
        shown = await other.get(f"{PATH}?request={REQUEST}")

    assert shown.status_code == 404
    assert "Nothing waits. Log in again from your program: it begins anew." in shown.text
    assert "An app" not in shown.text


async def test_what_cannot_be_recorded_is_not_allowed() -> None:
    waiting = Waiting(Overloaded("the ledger cannot be written"))
    async with browser(waiting) as alice:
        shown = await alice.get(f"{PATH}?request={REQUEST}")
        form = {"token": token_in(shown.text), "answer": "yes"}
        done = await alice.post(f"{PATH}?request={REQUEST}", data=form)

    assert done.status_code == 503
    assert "Nothing was allowed" in done.text
