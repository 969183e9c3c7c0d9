"""A request for authorization waits in the store for one answer, of the browser it began in."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from mcp_gateway.core.errors import Overloaded
from mcp_gateway.oauth.ports import AuthorizationFailed
from mcp_gateway.oauth.server.rfc6749 import OAuthError
from mcp_gateway.services.authorization.requests import WAITS
from tests.support.authorizing import ADA_THERE, BROWSER, REDIRECT, Server, asked, server


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Server]:
    made = await server(tmp_path)
    yield made
    await made.http.aclose()


async def test_what_the_page_shows_is_what_was_asked_for(at: Server) -> None:
    client = await at.registered()

    shown = await at.requests.asked(await at.waiting(client), BROWSER)

    assert (shown.client, shown.name, shown.redirect_host) == (client, "A runtime", "127.0.0.1")
    assert set(shown.scopes) == {"mcp", "offline_access"}
    assert shown.resource == "http://127.0.0.1:8080/mcp"
    assert (shown.loopback, shown.verified) == (True, False)
    assert shown.form_action == "http://127.0.0.1:7777"


async def test_a_yes_is_recorded_before_there_is_a_code(at: Server) -> None:
    id_ = await at.waiting(await at.registered())
    at.ledger.broken.add("consent.given")

    with pytest.raises(Overloaded):
        await at.requests.approve(id_, BROWSER, ADA_THERE)

    with at.database.reading() as session:
        codes = session.connection().exec_driver_sql("SELECT count(*) FROM codes").scalar_one()
    assert codes == 0


@pytest.mark.parametrize("answer", ["approve", "deny"])
async def test_it_is_answered_once_and_recorded_once(at: Server, answer: str) -> None:
    id_ = await at.waiting(await at.registered())
    answering = getattr(at.requests, answer)
    await answering(id_, BROWSER, ADA_THERE)

    with pytest.raises(AuthorizationFailed):
        await answering(id_, BROWSER, ADA_THERE)

    assert len([kind for kind in at.ledger.kinds if kind.startswith("consent.")]) == 1


@pytest.mark.parametrize("browser", ["", "another"])
async def test_another_browser_learns_nothing_of_it(at: Server, browser: str) -> None:
    id_ = await at.waiting(await at.registered())

    with pytest.raises(AuthorizationFailed):
        await at.requests.asked(id_, browser)


async def test_nobody_answers_it_after_ten_minutes(at: Server) -> None:
    id_ = await at.waiting(await at.registered())
    at.now += WAITS

    with pytest.raises(AuthorizationFailed):
        await at.requests.approve(id_, BROWSER, ADA_THERE)


async def test_a_client_that_was_revoked_meanwhile_gets_no_code(at: Server) -> None:
    client = await at.registered()
    id_ = await at.waiting(client)
    at.current.swap_keyring(
        type(at.current.keyring)(at.current.keyring.keys, frozenset({f"client:{client}"}))
    )

    with pytest.raises(AuthorizationFailed):
        await at.requests.approve(id_, BROWSER, ADA_THERE)


async def test_the_store_has_neither_code_nor_id_nor_cookie(at: Server, tmp_path: Path) -> None:
    id_ = await at.waiting(await at.registered())
    back = await at.requests.approve(id_, BROWSER, ADA_THERE)
    code = parse_qs(urlsplit(back).query)["code"][0]

    written = b"".join(file.read_bytes() for file in tmp_path.glob("gateway.db*"))

    for secret in (id_, code, BROWSER):
        assert secret.encode() not in written


async def test_one_address_begins_so_many_and_no_more(at: Server) -> None:
    client = await at.registered()
    for _ in range(60):
        await at.requests.begin(asked(client), BROWSER, "peer")

    with pytest.raises(OAuthError, match="too many") as refused:
        await at.requests.begin(asked(client), BROWSER, "peer")

    assert refused.value.status == 429
    assert (await at.requests.begin(asked(client), BROWSER, "other")).startswith("http")


async def test_scopes_that_a_key_does_not_have_are_not_its_runtimes(at: Server) -> None:
    client = await at.registered()
    back = await at.coded(client, scope="mcp pay:write offline_access")

    given = next(entry for entry in at.ledger.entries if entry.kind == "consent.given")
    assert given.body["scopes"] == ["mcp", "offline_access"]
    assert back.startswith(REDIRECT)


@pytest.mark.requirement("attack:d33")
async def test_nobody_is_sent_to_a_strangers_site_before_anybody_was_asked(at: Server) -> None:
    evil = "https://evil.example/callback"
    client = await at.registered(redirect_uris=[evil])

    with pytest.raises(OAuthError, match="nobody is let in"):
        await at.requests.begin(asked(client, redirect_uri=evil, prompt="none"), BROWSER, "peer")


async def test_a_state_is_as_long_as_states_are(at: Server) -> None:
    client = await at.registered()

    back = await at.requests.begin(asked(client, state="s" * 2_049), BROWSER, "peer")

    assert "error=invalid_request" in back
