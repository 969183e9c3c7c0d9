"""What came of one log-in is renewed in turn, and ends together, in every process on the store."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.config import Settings
from mcp_gateway.core.errors import Overloaded
from mcp_gateway.core.snapshot import Current
from mcp_gateway.oauth.server import rfc9068
from mcp_gateway.oauth.server.rfc6749 import OAuthError, Parameters
from mcp_gateway.oauth.server.rfc7636 import challenge_of
from mcp_gateway.services.authorization.client import Client
from mcp_gateway.services.authorization.families import Families, Held
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.store import families as store
from mcp_gateway.store.authorization import Authorizations
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import Keys, digest_of
from mcp_gateway.store.revocations import Revocations
from mcp_gateway.store.rows import CodeRow
from tests.support.fakes import FakeLedger

NOW = 1_700_000_000
VERIFIER = "v" * 43
REDIRECT = "http://127.0.0.1:7777/cb"
RESOURCE = "https://gw.example/mcp"
APP = Client("app", "dcr", "App", "none", frozenset({"authorization_code", "refresh_token"}))
OTHER = Client("other", "dcr", "Other", "none", APP.grants)
ONCE = Client("once", "dcr", "Once", "none", frozenset({"authorization_code"}))


@dataclass
class Process:
    """One process on the store."""

    families: Families
    kept: store.Families
    codes: Authorizations
    current: Current
    keyring: KeyringService

    def is_over(self, held: Held, issued: int) -> bool:
        return self.current.keyring.is_over(frozenset({f"family:{held.family.id}"}), issued)


@dataclass
class World:
    databases: list[Database]
    now: float = NOW
    ledger: FakeLedger = field(default_factory=FakeLedger)
    settings: Settings = field(default_factory=lambda: Settings.model_validate({}))
    processes: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.processes = [self._process(database) for database in self.databases]

    def _process(self, database: Database) -> Process:
        current, clock = Current(), lambda: self.now
        keyring = KeyringService(current, database, Keys(database))
        kept, codes = store.Families(database, clock), Authorizations(database, clock)
        families = Families(
            kept,
            codes,
            Revocations(database),
            keyring,
            self.ledger,
            lambda: self.settings,
            clock,
        )
        return Process(families, kept, codes, current, keyring)

    def code(self, text: str = "code", client: Client = APP, scopes: str = "mcp") -> None:
        row = CodeRow(
            digest=digest_of(text).hex(),
            family=f"family-of-{text}",
            client=client.id,
            redirect=REDIRECT,
            challenge=challenge_of(VERIFIER),
            resource=RESOURCE,
            scopes=scopes,
            person="person:p1",
            ends=int(self.now) + 60,
        )
        self.processes[0].codes.issue(row)

    async def redeemed(self, process: int = 0, client: Client = APP, /, **changes: str) -> Held:
        form = {"code": "code", "code_verifier": VERIFIER, "redirect_uri": REDIRECT, **changes}
        return await self.processes[process].families.redeemed(said(form), client)

    async def turned(self, held: Held | str, process: int = 0, **changes: str) -> Held:
        text = held if isinstance(held, str) else held.refresh
        form = said({"refresh_token": text, **changes})
        return await self.processes[process].families.turned(form, APP)

    async def held(self) -> Held:
        self.code()
        return await self.redeemed()


def said(form: dict[str, str]) -> Parameters:
    return Parameters([(name, value) for name, value in form.items() if value])


async def refused(coming: Any) -> str:
    with pytest.raises(OAuthError) as error:
        await coming
    return error.value.code


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    databases = [Database.open(tmp_path / "gateway.db") for _ in range(2)]
    yield World(databases)
    for database in databases:
        database.close()


async def test_a_code_begins_a_family_of_what_the_person_consented_to(world: World) -> None:
    held = await world.held()

    assert (held.family.person, held.family.client) == ("person:p1", "app")
    assert (held.family.resource, held.family.scopes) == (RESOURCE, "mcp")
    assert held.family.ends == NOW + 7_776_000
    assert held.refresh


@pytest.mark.parametrize(
    ("client", "scopes", "tokens"),
    [(ONCE, "mcp", 0), (ONCE, "mcp offline_access", 1), (APP, "mcp", 1)],
)
async def test_who_asks_for_no_refresh_token_gets_none(
    world: World, client: Client, scopes: str, tokens: int
) -> None:
    world.code(client=client, scopes=scopes)

    held = await world.redeemed(0, client)

    assert bool(held.refresh) == bool(tokens)


@pytest.mark.requirement("attack:d20")
async def test_of_two_parallel_redemptions_at_most_one_wins_and_that_is_over(world: World) -> None:
    world.code()

    found = await asyncio.gather(*(world.redeemed(n) for n in (0, 1)), return_exceptions=True)

    won = [one for one in found if isinstance(one, Held)]
    lost = [one for one in found if isinstance(one, OAuthError)]
    assert len(won) <= 1
    assert len(won) + len(lost) == 2
    assert {one.code for one in lost} == {"invalid_grant"}
    for held in won:
        assert await refused(world.turned(held)) == "invalid_grant"


@pytest.mark.requirement("attack:d20")
async def test_a_code_that_comes_again_ends_its_family_in_every_process(world: World) -> None:
    held = await world.held()

    assert await refused(world.redeemed(1)) == "invalid_grant"

    assert await refused(world.turned(held)) == "invalid_grant"
    await world.processes[0].keyring.refresh()
    assert all(process.is_over(held, NOW + 60) for process in world.processes)
    assert world.ledger.last.body == {"family": held.family.id, "reason": "its code came twice"}


@pytest.mark.requirement("attack:d24")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"code": "guessed"}, "invalid_grant"),
        ({"code": ""}, "invalid_request"),
        ({"code_verifier": ""}, "invalid_request"),
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": "v" * 42}, "invalid_grant"),
        ({"code_verifier": challenge_of(VERIFIER)}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:7778/cb"}, "invalid_grant"),
        ({"redirect_uri": "https://evil.example/cb"}, "invalid_grant"),
    ],
)
async def test_a_code_is_worth_nothing_to_who_cannot_say_what_its_client_can(
    world: World, changes: dict[str, str], code: str
) -> None:
    world.code()

    assert await refused(world.redeemed(**changes)) == code


@pytest.mark.requirement("attack:d24")
async def test_another_clients_code_is_worth_nothing_and_is_worth_nothing_afterwards(
    world: World,
) -> None:
    world.code()

    assert await refused(world.redeemed(0, OTHER)) == "invalid_grant"
    assert await refused(world.redeemed()) == "invalid_grant"
    assert world.processes[0].kept.find("family-of-code") is None


async def test_a_code_is_worth_nothing_for_another_resource_nor_after_its_time(
    world: World,
) -> None:
    world.code("early")
    world.code("late")
    elsewhere = Parameters(
        [("code", "early"), ("code_verifier", VERIFIER), ("resource", "https://gw.example/other")]
    )
    families = world.processes[0].families

    assert await refused(families.redeemed(elsewhere, APP)) == "invalid_target"
    world.now += 60
    assert await refused(world.redeemed(code="late")) == "invalid_grant"


@pytest.mark.requirement("authorization:refresh-in-turn")
async def test_two_processes_refresh_within_the_grace_and_both_get_tokens_of_one_family(
    world: World,
) -> None:
    held = await world.held()

    both = await asyncio.gather(world.turned(held, 0), world.turned(held, 1))

    assert {one.family.id for one in both} == {held.family.id}
    assert len({held.refresh, *(one.refresh for one in both)}) == 3
    for one in both:
        assert await world.turned(one)


@pytest.mark.requirement("attack:d22")
async def test_a_token_that_comes_after_the_grace_ends_the_family_in_both_processes(
    world: World,
) -> None:
    held = await world.held()
    following = await world.turned(held)
    await asyncio.gather(*(process.keyring.refresh() for process in world.processes))
    watching = asyncio.ensure_future(world.processes[0].keyring.follow())
    world.now += 10

    assert await refused(world.turned(held, 1)) == "invalid_grant"

    assert world.processes[1].is_over(held, NOW + 60)
    async with asyncio.timeout(10):
        while not world.processes[0].is_over(held, NOW + 60):
            await asyncio.sleep(0.01)
    watching.cancel()
    assert await refused(world.turned(following, 0)) == "invalid_grant"
    assert world.ledger.kinds[-2:] == ["token.reused", "family.revoked"]


@pytest.mark.requirement("attack:d30")
async def test_what_another_process_just_revoked_is_in_force_before_anything_is_held(
    world: World,
) -> None:
    held = await world.held()
    other, here = Revocations(world.databases[1]), world.processes[0].current
    other.end("subject:local|ada", NOW, "left")
    await world.turned(held)
    refreshed = here.keyring.is_over(frozenset({"subject:local|ada"}), NOW)
    other.end("client:app", NOW, "left")
    world.code("next")
    await world.redeemed(code="next")

    assert refreshed
    assert here.keyring.is_over(frozenset({"client:app"}), NOW)


@pytest.mark.requirement("attack:d23")
async def test_another_client_learns_nothing_of_a_refresh_token_and_changes_nothing(
    world: World,
) -> None:
    held = await world.held()
    families = world.processes[0].families
    stolen = [
        said({"refresh_token": held.refresh}),
        said({"refresh_token": held.refresh, "scope": "admin"}),
        Parameters([("refresh_token", held.refresh), ("resource", "https://gw.example/other")]),
        said({"refresh_token": "unknown", "scope": "admin"}),
    ]

    answers = []
    for form in stolen:
        with pytest.raises(OAuthError) as error:
            await families.turned(form, OTHER)
        answers.append((error.value.code, error.value.description))

    assert len(set(answers)) == 1
    assert answers[0][0] == "invalid_grant"
    assert await world.turned(held)


async def test_fewer_scopes_may_be_asked_for_and_what_is_asked_wrongly_uses_nothing(
    world: World,
) -> None:
    world.code(scopes="mcp offline_access")
    held = await world.redeemed()

    assert await refused(world.turned(held, scope="mcp admin")) == "invalid_scope"
    assert await refused(world.turned(held, scope='m"p')) == "invalid_scope"
    world.now += 60
    following = await world.turned(held, scope="offline_access")
    assert following.family.scopes == "mcp offline_access"
    assert await world.turned(following, scope="mcp")


@pytest.mark.requirement("attack:d21")
async def test_an_end_that_cannot_be_recorded_ends_nothing_and_can_be_had_again(
    world: World,
) -> None:
    held = await world.held()
    families = world.processes[0].families
    world.ledger.broken = {"family.revoked"}
    with pytest.raises(Overloaded):
        await families.end(held.family.id, "left")
    assert await families.standing(held.family.id) is not None
    assert not world.databases[0].revision()

    world.ledger.broken = set()
    await families.end(held.family.id, "left")

    assert await families.standing(held.family.id) is None
    assert world.processes[0].is_over(held, NOW + rfc9068.LONGEST)
    assert world.ledger.kinds == ["family.revoked"]


async def test_what_is_over_or_unknown_is_not_ended_again(world: World) -> None:
    held = await world.held()
    for process in (*world.processes, *world.processes):
        await process.families.end(held.family.id, "left")
        await process.families.end("unknown", "left")

    assert world.ledger.kinds == ["family.revoked"]
    assert world.databases[0].revision() == 1


async def test_what_was_refreshed_is_recorded_in_sum_also_when_the_ledger_was_full(
    world: World,
) -> None:
    held = await world.held()
    families = world.processes[0].families
    held = await world.turned(held)
    world.ledger.broken = {"token.refreshed"}
    await families.record()
    held = await world.turned(held)
    world.ledger.broken = set()
    await families.record()
    await families.record()

    assert world.ledger.kinds == ["token.refreshed"]
    assert world.ledger.last.body == {"family": held.family.id, "count": 2}


async def test_what_is_over_for_a_day_is_forgotten_and_nothing_that_is_not(world: World) -> None:
    ended = await world.held()
    await world.processes[0].families.end(ended.family.id, "left")
    world.code("alive")
    alive = await world.redeemed(code="alive")
    world.now += 86_400 + 1

    await world.processes[0].families.collect()

    assert world.processes[1].kept.find(ended.family.id) is None
    assert await refused(world.redeemed()) == "invalid_grant"
    assert await world.turned(alive, 1)


async def test_only_the_digests_of_codes_and_tokens_are_in_the_store(
    world: World, tmp_path: Path
) -> None:
    world.code("the-marked-code")
    held = await world.redeemed(code="the-marked-code")

    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())

    assert held.family.id.encode() in files
    assert held.refresh.encode() not in files
    assert files.count(b"the-marked-code") == files.count(b"family-of-the-marked-code")
