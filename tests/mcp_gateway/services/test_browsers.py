"""Who is logged in is known by a cookie, for as long as what they showed stands."""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from mcp_gateway.core.errors import Overloaded
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import ApiKey, Current, Keyring
from mcp_gateway.oauth.ports import Person
from mcp_gateway.services.browsers import IDLE, LIFE, LoggedIn
from mcp_gateway.services.people import KnownPeople
from mcp_gateway.store.browsers import Browsers
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import digest_of
from mcp_gateway.store.people import PersonRows
from tests.support.fakes import FakeLedger

ADA = Principal("local", "ada", "acme", client="key:1", roles=frozenset({"user"}))
BY = digest_of("mcpgw_0a1b_the-key")
KEY = ApiKey("0a1b", ADA, expires=1_700_200_000, created=1_600_000_000)
ADA_THERE = Person(f"key:{BY.hex()}", ADA, KEY.names, KEY.expires, "ada")
IN_FORCE = Keyring({BY: KEY})
NAMES = ("key:0a1b", "subject:local|ada", "client:key:1")


@dataclass
class World:
    rows: Browsers
    people: PersonRows
    current: Current = field(default_factory=Current)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    now: float = 1_700_000_000.0

    @property
    def browsers(self) -> LoggedIn:
        people = KnownPeople(self.people, self.current, lambda: self.now)
        return LoggedIn(self.rows, people, self.current, self.ledger, lambda: self.now)


@pytest.fixture
def world(tmp_path: Path) -> World:
    database = Database.open(tmp_path / "gateway.db")
    made = World(Browsers(database), PersonRows(database))
    made.current.swap_keyring(IN_FORCE)
    return made


@pytest.mark.requirement("login:a-browser-is-one-person")
async def test_who_logged_in_is_known_by_the_cookie_alone_in_any_process(world: World) -> None:
    cookie = await world.browsers.log_in(ADA_THERE, "")

    person = await world.browsers.who(cookie)

    assert person == ADA_THERE
    assert await world.browsers.who("") is None
    assert await world.browsers.who(hashlib.sha256(cookie.encode()).hexdigest()) is None


@pytest.mark.requirement("login:recorded-before-it-is-good")
async def test_a_log_in_is_an_entry_without_what_was_shown(world: World) -> None:
    cookie = await world.browsers.log_in(ADA_THERE, "")
    await world.browsers.log_out(cookie)

    kinds = [entry.kind for entry in world.ledger.entries]
    assert kinds == ["login", "logout"]
    first, last = (entry.body for entry in world.ledger.entries)
    assert (first["issuer"], first["subject"]) == ("local", "ada")
    assert first["browser"] == last["browser"]
    assert cookie not in str(world.ledger.entries)
    assert await world.browsers.who(cookie) is None


@pytest.mark.requirement("login:recorded-before-it-is-good")
async def test_a_log_in_that_cannot_be_recorded_is_none(world: World) -> None:
    world.ledger.broken.add("login")

    with pytest.raises(Overloaded):
        await world.browsers.log_in(ADA_THERE, "")


@pytest.mark.requirement("login:ends")
@pytest.mark.parametrize(
    "keyring",
    [
        Keyring(),
        Keyring({BY: replace(KEY, expires=1_700_000_000)}),
        *(replace(IN_FORCE, revoked=frozenset({name})) for name in NAMES),
        *(replace(IN_FORCE, ended={name: 1_700_000_000}) for name in NAMES),
    ],
)
async def test_it_is_over_with_the_key_that_was_shown(world: World, keyring: Keyring) -> None:
    cookie = await world.browsers.log_in(ADA_THERE, "")
    world.current.swap_keyring(replace(IN_FORCE, revoked=frozenset({"subject:local|eve"})))
    assert await world.browsers.who(cookie) is not None

    world.current.swap_keyring(keyring)

    assert await world.browsers.who(cookie) is None


@pytest.mark.requirement("login:ends")
async def test_it_is_over_when_nobody_uses_it_and_after_a_day_in_any_case(world: World) -> None:
    idle = await world.browsers.log_in(ADA_THERE, "")
    busy = await world.browsers.log_in(ADA_THERE, "")
    begun = world.now

    for _ in range(LIFE // (IDLE - 60)):
        world.now += IDLE - 60
        assert await world.browsers.who(busy) is not None

    assert await world.browsers.who(idle) is None
    world.now = begun + LIFE
    assert await world.browsers.who(busy) is None


@pytest.mark.requirement("login:a-browser-is-one-person")
async def test_who_is_logged_in_may_do_what_their_key_may_now(world: World) -> None:
    cookie = await world.browsers.log_in(ADA_THERE, "")
    fewer = replace(ADA, roles=frozenset())
    world.current.swap_keyring(Keyring({BY: replace(KEY, principal=fewer)}))

    person = await world.browsers.who(cookie)

    assert person
    assert person.principal == fewer


@pytest.mark.requirement("login:forms-are-of-the-browser")
async def test_who_logs_in_again_has_one_cookie_that_is_good(world: World) -> None:
    first = await world.browsers.log_in(ADA_THERE, "")
    second = await world.browsers.log_in(ADA_THERE, first)

    assert (await world.browsers.who(first), await world.browsers.who(second)) == (None, ADA_THERE)
