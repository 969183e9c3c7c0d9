"""How an issuer is answered that tells of a log-out."""

from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from joserfc.jwk import KeySet
from starlette.applications import Starlette

from mcp_gateway.core.snapshot import Current
from mcp_gateway.edge.authorization.answers import Answers
from mcp_gateway.edge.backchannel import PATH, Backchannel
from mcp_gateway.edge.failures import MOST_FAILURES, Failures
from mcp_gateway.edge.origins import Origins
from mcp_gateway.oauth.backchannel import Expected
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.services.logouts import LogOuts
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import Keys
from mcp_gateway.store.revocations import Revocations
from tests.support.fakes import FakeLedger
from tests.support.issuer import Issuer

URL = "https://gateway.example.com"
ISSUER = Issuer("https://login.example.com")


class World:
    def __init__(self, folder: Path) -> None:
        database = Database.open(folder / "gateway.db")
        self.current, self.ledger, self.failures = Current(), FakeLedger(), Failures()
        self.keys: KeySet | None = KeySet([ISSUER.key])
        self.wanted = 0
        keyring = KeyringService(self.current, database, Keys(database))
        edge = Backchannel(
            Answers(Origins(URL, "127.0.0.1:1", [], []), self.failures),
            self.failures,
            Expected(ISSUER.url, frozenset({"runtime"}), ("RS256",)),
            LogOuts(Revocations(database), keyring, self.ledger),
            lambda: self.keys,
            self._want,
        )
        transport = httpx2.ASGITransport(app=Starlette(routes=edge.routes()))
        self.http = httpx2.AsyncClient(transport=transport, base_url=URL)

    def _want(self) -> None:
        self.wanted += 1

    async def told(self, token: str, **more: str) -> httpx2.Response:
        return await self.http.post(PATH, data={"logout_token": token, **more})


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.requirement("revocation:issuers-tell-of-log-outs")
async def test_a_log_out_is_answered_once_it_is_in_force_and_by_nobody_kept(world: World) -> None:
    answer = await world.told(ISSUER.logout("alice"))

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["cache-control"] == "no-store"
    assert world.current.keyring.ended.keys() == {f"subject:{ISSUER.url}|alice"}
    assert world.ledger.kinds == ["revoked"]


@pytest.mark.requirement("revocation:issuers-tell-of-log-outs")
@pytest.mark.parametrize(
    ("token", "said"),
    [
        (lambda: "nothing", "another type|not allowed"),
        (lambda: ISSUER.logout("alice", aud="another"), "another audience"),
        (lambda: ISSUER.logout("alice", nonce="n"), "nonce"),
        (lambda: "", "logout_token"),
    ],
)
async def test_what_is_no_log_out_is_told_why_and_ends_nothing(
    world: World, token: Callable[[], str], said: str
) -> None:
    answer = await world.told(token())

    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_request"
    assert any(word in answer.json()["error_description"] for word in said.split("|"))
    assert (world.current.keyring.ended, world.ledger.entries) == ({}, [])


async def test_before_the_keys_are_there_it_is_asked_to_come_again(world: World) -> None:
    world.keys = None

    answer = await world.told(ISSUER.logout("alice"))

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"


async def test_a_ledger_that_cannot_be_written_has_it_come_again(world: World) -> None:
    world.ledger.broken.add("revoked")
    token = ISSUER.logout("alice")
    refused = await world.told(token)
    world.ledger.broken.clear()

    again = await world.told(token)

    assert (refused.status_code, again.status_code) == (503, 200)


async def test_who_tells_what_nobody_signed_is_not_heard_for_long(world: World) -> None:
    """And has the keys asked for anew, since the issuer may have others by now."""
    answers = [(await world.told("x.y.z")).status_code for _ in range(MOST_FAILURES)]

    last = await world.told(ISSUER.logout("alice"))

    assert set(answers) == {400}
    assert last.status_code == 429
    assert world.wanted == MOST_FAILURES


async def test_only_a_form_by_post_under_our_name_is_heard(world: World) -> None:
    token = ISSUER.logout("alice")
    in_json = await world.http.post(PATH, json={"logout_token": token})
    in_query = await world.http.post(PATH, params={"logout_token": token}, data={"a": "b"})
    by_get = await world.http.get(PATH, params={"logout_token": token})
    elsewhere = await world.http.post(
        PATH, data={"logout_token": token}, headers={"host": "evil.example.com"}
    )
    twice = await world.http.post(
        PATH,
        content=f"logout_token={token}&logout_token={token}",
        headers={"content-type": "application/x-www-form-urlencoded"},
    )

    answers = (in_json, in_query, by_get, elsewhere, twice)
    assert [answer.status_code for answer in answers] == [400, 400, 405, 421, 400]
    assert world.current.keyring.ended == {}
