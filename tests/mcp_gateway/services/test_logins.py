"""A log-in at a provider: of one browser, once, within ten minutes, with the roles it brings."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.config import Settings
from mcp_gateway.core.snapshot import Current
from mcp_gateway.limits.bucket import Rate
from mcp_gateway.oauth.ports import Person
from mcp_gateway.oauth.upstream.discovery import Discovery
from mcp_gateway.oauth.vault import place_of
from mcp_gateway.services.logins import WAITS, LogIns
from mcp_gateway.services.people import KnownPeople
from mcp_gateway.services.relying_party import LoginFailed, RelyingParty
from mcp_gateway.store.database import Database
from mcp_gateway.store.logins import LoginRows
from mcp_gateway.store.people import PersonRows
from mcp_gateway.wire.http import HttpClient, Network
from tests.support.identity_provider import CLIENT, SECRET, Authority, authority
from tests.support.logging_in import asked
from tests.support.oauth_fakes import MemorySecrets

BROWSER, NEXT = "b" * 43, "/oauth/consent?request=" + "r" * 43


@dataclass
class World:
    """One gateway before a provider; `login` is the section, `now` what its clock says."""

    there: Authority
    http: HttpClient
    database: Database
    login: dict[str, Any]
    now: float = 1_700_000_000.0
    vault: MemorySecrets = field(default_factory=MemorySecrets)

    def settings(self) -> Settings:
        return Settings.model_validate({"authorization": {"login": self.login}})

    @property
    def logins(self) -> LogIns:
        """As each process, and each start of one, makes it."""
        return LogIns(
            LoginRows(self.database),
            KnownPeople(PersonRows(self.database), Current()),
            self.vault,
            RelyingParty(Discovery(self.http), self.http, b"k" * 32),
            self.settings,
            lambda: self.now,
        )

    async def begun(self, **said: Any) -> dict[str, str]:
        """The answer to a log-in that begins now."""
        begun = asked(await self.logins.begin(NEXT, BROWSER, "peer"))
        claims = {"sub": "ada", "aud": CLIENT, "nonce": begun["nonce"], **said}
        self.there.answers["id_token"] = self.there.signed("JWT", **claims)
        return {"state": begun["state"], "code": "c"}

    async def logged_in(self, **said: Any) -> Person:
        person, next_ = await self.logins.finish(await self.begun(**said), BROWSER)
        assert next_ == NEXT
        return person


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setenv("LOGIN_SECRET", SECRET)
    http, database = HttpClient(Network(loopback=True)), Database.open(tmp_path / "gateway.db")
    with authority() as there:
        login = {"issuer": there.url, "client": CLIENT, "secret": {"env": "LOGIN_SECRET"}}
        yield World(there, http, database, login)
    database.close()
    await http.aclose()


@pytest.mark.requirement("login:at-a-provider")
@pytest.mark.parametrize(
    ("section", "said", "roles"),
    [
        ({}, {}, {"user"}),
        ({"default_roles": []}, {}, set()),
        ({}, {"roles": ["ops"]}, {"ops", "user"}),
        (
            {"role_map": {"ops": ["operator", "reader"]}},
            {"roles": "ops admin"},
            {"operator", "reader", "user"},
        ),
        ({"roles_claim": "realm.roles"}, {"realm": {"roles": ["ops"]}}, {"ops", "user"}),
        ({"roles_claim": "groups", "role_map": {"g1": ["admin"]}}, {"roles": ["admin"]}, {"user"}),
    ],
)
async def test_a_person_has_the_roles_that_the_provider_says_and_those_of_everybody(
    world: World, section: dict[str, Any], said: dict[str, Any], roles: set[str]
) -> None:
    world.login |= section

    person = await world.logged_in(**said)

    who = person.principal
    assert (who.issuer, who.subject, who.tenant) == (world.there.url, "ada", "default")
    assert who.roles == roles
    assert (who.client, who.actor, who.scopes) == ("", "", frozenset())


@pytest.mark.requirement("login:at-a-provider")
async def test_roles_that_cannot_be_read_are_not_none(world: World) -> None:
    with pytest.raises(LoginFailed, match="roles that cannot be read"):
        await world.logged_in(roles={"ops": True})


async def test_who_loses_a_role_at_the_provider_loses_it_here(world: World) -> None:
    first = await world.logged_in(roles=["ops"])
    second = await world.logged_in()

    assert first.by == second.by
    assert second.principal.roles == {"user"}


@pytest.mark.requirement("login:survives-a-restart")
async def test_it_waits_ten_minutes_and_no_longer(world: World) -> None:
    good = await world.begun()
    world.now += WAITS - 1
    person, _ = await world.logins.finish(good, BROWSER)
    late = await world.begun()
    world.now += WAITS

    with pytest.raises(LoginFailed, match="is over"):
        await world.logins.finish(late, BROWSER)
    assert person.principal.subject == "ada"


@pytest.mark.requirement("attack:e22")
async def test_another_browser_ends_it_for_both(world: World) -> None:
    query = await world.begun()

    for browser in ("c" * 43, "", BROWSER):
        with pytest.raises(LoginFailed, match="another browser"):
            await world.logins.finish(query, browser)

    assert not world.there.asked


async def test_what_was_begun_at_one_provider_is_not_ended_at_the_next(world: World) -> None:
    query = await world.begun()
    with authority() as other:
        world.login = {**world.login, "issuer": other.url}
        with pytest.raises(LoginFailed, match="is over"):
            await world.logins.finish(query, BROWSER)
        assert not other.asked


async def test_where_no_provider_is_configured_any_more_nobody_logs_in(world: World) -> None:
    query = await world.begun()
    world.settings = Settings  # type: ignore[method-assign]

    for act in (world.logins.begin(NEXT, BROWSER, "peer"), world.logins.finish(query, BROWSER)):
        with pytest.raises(LoginFailed, match="nobody logs in here by a provider"):
            await act


async def test_an_address_begins_a_bounded_number_of_log_ins(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_gateway.services.logins.EACH", Rate.parse("2/hour"))
    logins = world.logins
    for _ in range(2):
        await logins.begin(NEXT, BROWSER, "busy")

    with pytest.raises(LoginFailed, match="too many"):
        await logins.begin(NEXT, BROWSER, "busy")
    assert await logins.begin(NEXT, BROWSER, "calm")


@pytest.mark.requirement("login:tokens-are-sealed")
async def test_what_the_log_in_brought_is_the_persons_at_the_provider(world: World) -> None:
    person = await world.logged_in()

    [(place, (version, kept))] = world.vault.kept.items()
    assert place == place_of(person.principal, world.there.url, "login")
    assert version == 1
    assert kept["access_token"] in world.there.given
    assert kept["client"] == CLIENT
