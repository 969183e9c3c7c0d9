import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from connectors import Services
from mcp_gateway.config import ConfigError, Settings
from mcp_gateway.core import ports
from mcp_gateway.core.body import Body
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.core.snapshot import GATEWAY, Chains, Current, Snapshot
from mcp_gateway.core.target import Target
from mcp_gateway.services.attendance import Attendance
from mcp_gateway.services.bulletin import Bulletin
from mcp_gateway.services.compiled import Compiled
from mcp_gateway.services.lease import Leased
from mcp_gateway.services.review import Review
from mcp_gateway.services.servers import SUSPECTED_EVERY
from mcp_gateway.services.snapshots import Snapshots
from mcp_gateway.store.database import Database
from mcp_gateway.store.pins import Pins
from mcp_gateway.wire.http import HttpClient, Network
from tests.support import calls
from tests.support.fakes import FakeConnector, FakeLedger
from tests.support.gateway import EXAMPLE
from tests.support.raw_server import listening

ORDERS = {
    "connector": "openapi",
    "url": "http://127.0.0.1:9",
    "document": "builtin:orders",
}
BOUND = 5.0


def settings(servers: Mapping[str, Any] | None = None, **sections: Any) -> Settings:
    found = {"orders": ORDERS} if servers is None else servers
    return Settings.model_validate({"servers": found, **sections})


def chain(configuration: Settings, made: Compiled, limiter: ports.Limiter) -> Chains:
    """A chain that says whose it is."""

    async def answer(call: Call) -> Body:
        async with limiter.hold(call):
            return Body(configuration.gateway.contact.encode())

    assert set(made.guards) >= {"standard"}
    return Chains(answer)


class World:
    """Snapshots on a store of their own, and what is in force."""

    def __init__(self, folder: Path) -> None:
        self.current = Current()
        self.folder = folder
        self.local = FakeConnector()
        self.ledger = FakeLedger()
        self.snapshots = Snapshots(
            self.current,
            Review(Pins(Database.open(folder / "gateway.db"))),
            lambda _: self.local,
            [],
            Services(HttpClient(Network(loopback=True)), self.ledger, folder),
            chain,
            Attendance(Bulletin()),
        )

    @property
    def now(self) -> Snapshot:
        found = self.current.of("default")
        assert found is not None
        return found

    async def take(self, new: Settings) -> None:
        self.snapshots.commit(await self.snapshots.prepare(new, self.folder))

    async def served(self, name: str = "orders") -> None:
        async with asyncio.timeout(BOUND):
            while self.snapshots.running[name].trouble:
                await asyncio.sleep(0.01)

    def connector(self, name: str = "orders") -> Leased:
        return self.snapshots.running[name].connector


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    made = World(tmp_path)
    async with listening() as url:
        monkeypatch.setitem(ORDERS, "url", url)
        yield made
        await made.snapshots.aclose()


async def test_before_the_first_configuration_nothing_is_in_force(world: World) -> None:
    world.snapshots._swap()

    assert world.current.of("default") is None


async def test_a_configuration_is_in_force_at_once_and_its_servers_as_they_answer(
    world: World,
) -> None:
    await world.take(settings())
    before = world.now
    await world.served()

    assert before.upstreams["orders"].trouble == "it has not answered yet"
    assert not before.catalog
    assert ("tool", "orders__list_orders") in world.now.catalog
    assert world.now.upstreams["orders"].trouble == ""
    assert world.now.connector(Target("catalog", GATEWAY, "tools/list")) is world.local


@pytest.mark.requirement("servers:the-approved-one-goes-on")
async def test_before_a_server_has_answered_its_approved_tools_are_there_and_stale(
    world: World, tmp_path: Path
) -> None:
    await world.take(settings())
    await world.served()
    names = set(world.now.catalog)
    again = World(tmp_path)
    await again.take(settings({"orders": ORDERS | {"url": "http://127.0.0.1:9"}}))
    there = again.now
    await again.snapshots.aclose()

    assert set(there.catalog) == names
    assert there.upstreams["orders"].trouble == "it has not answered yet"


async def test_the_bounds_of_a_server_change_without_its_connection(world: World) -> None:
    await world.take(settings())
    before = world.connector()
    await world.take(settings({"orders": ORDERS | {"concurrency": 2}}))

    assert (world.connector() is before, before.admission.most) == (True, 2)


@pytest.mark.requirement("snapshot:a-bad-file-is-refused")
async def test_what_cannot_be_opened_changes_nothing_and_leaves_nothing_open(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.take(settings())
    await world.served()
    before, closed = world.now, list[Leased]()

    async def aclose(leased: Leased) -> None:
        closed.append(leased)

    monkeypatch.setattr(Leased, "aclose", aclose)
    servers = {
        "orders": ORDERS,
        "more": ORDERS,
        "bad": ORDERS | {"document": "none.json"},
        "worse": ORDERS | {"document": "neither.json"},
    }
    with pytest.raises(ConfigError) as refused:
        await world.snapshots.prepare(settings(servers), world.folder)

    assert [fault.split(":")[0] for fault in refused.value.faults] == [
        "servers.bad",
        "servers.worse",
    ]
    assert world.now is before
    assert set(world.snapshots.running) == {"orders"}
    assert [leased._name for leased in closed] == ["more"]


async def test_what_was_prepared_and_is_not_wanted_is_closed(world: World) -> None:
    prepared = await world.snapshots.prepare(settings(), world.folder)
    await prepared.discard()

    with pytest.raises(UpstreamFailed, match="was replaced"):
        await prepared.opened["orders"].send(calls.resolved())
    assert world.current.of("default") is None


@pytest.mark.requirement("reload:one-world")
async def test_a_call_keeps_the_chain_and_the_limits_that_it_picked_up(world: World) -> None:
    def limited(contact: str, limit: str) -> Settings:
        return settings(gateway={"contact": contact}, limits={"principal": {"default": limit}})

    await world.take(limited("first", "1/day"))
    old = calls.resolved(snapshot=world.now)
    await world.take(limited("second", "2/day"))
    new = calls.resolved(snapshot=world.now)

    assert (await old.snapshot.chain(old)).raw == b"first"
    assert (await new.snapshot.chain(new)).raw == b"second"


@pytest.mark.requirement("reload:servers")
async def test_a_connection_that_is_reached_alike_is_kept(world: World) -> None:
    await world.take(settings())
    await world.served()
    connector = world.connector()
    terms = {"guard": "strict", "trust": "follow", "requires": ["orders:read"]}
    await world.take(settings({"orders": ORDERS | terms}))

    upstream = world.now.upstreams["orders"]
    assert (world.connector(), upstream.connector) == (connector, connector)
    assert upstream.guard == "strict"
    assert world.now.catalog["tool", "orders__list_orders"].requires == {"orders:read"}
    assert world.snapshots.running["orders"].wanted.is_set()


@pytest.mark.requirement("reload:servers")
async def test_a_connection_that_is_reached_otherwise_is_opened_anew_without_losing_its_tools(
    world: World,
) -> None:
    await world.take(settings())
    await world.served()
    old = world.connector()
    await world.take(settings({"orders": ORDERS | {"timeout": 3}}))

    assert world.connector() is not old
    assert world.snapshots.running["orders"].trouble == "it has not answered yet"
    assert ("tool", "orders__list_orders") in world.now.catalog
    async with asyncio.timeout(BOUND):
        while not old._closed:
            await asyncio.sleep(0.01)


async def test_a_server_that_is_taken_away_takes_its_tools_with_it(world: World) -> None:
    await world.take(settings())
    await world.served()
    await world.take(settings({}))

    assert not world.now.catalog
    assert set(world.now.upstreams) == {GATEWAY}


@pytest.mark.requirement("servers:looked-at-when-calls-fail")
async def test_a_server_of_which_calls_fail_is_looked_at_again_but_not_for_each(
    world: World,
) -> None:
    await world.take(settings())
    await world.served()
    running = world.snapshots.running["orders"]
    failed = calls.resolved(calls.REFUND)

    world.snapshots.ended(failed, "upstream_failed", 0.1)
    at_once = running.wanted.is_set()
    running.looked -= SUSPECTED_EVERY
    world.snapshots.ended(failed, "ok", 0.1)
    world.snapshots.ended(failed, "forbidden", 0.1)
    after_others = running.wanted.is_set()
    world.snapshots.ended(calls.resolved(calls.ADD), "upstream_failed", 0.1)
    world.snapshots.ended(failed, "upstream_failed", 0.1)

    assert (at_once, after_others, running.wanted.is_set()) == (False, False, True)


async def test_what_is_held_back_is_served_once_it_is_accepted(world: World) -> None:
    await world.take(settings())
    await world.served()
    running = world.snapshots.running["orders"]
    held = running.listed[0]
    pins = Pins(Database.open(world.folder / "gateway.db"))
    pins.pin([type(held)(held.kind, held.server, held.name, b"{}", "sha256:other")], 0)
    running.wanted.set()
    async with asyncio.timeout(BOUND):
        while not world.now.held:
            await asyncio.sleep(0.01)
    accepted = await world.snapshots.accept("orders", "")
    async with asyncio.timeout(BOUND):
        while world.now.held:
            await asyncio.sleep(0.01)

    assert accepted == [f"tool/orders/{held.name}"]
    assert await world.snapshots.accept("orders", held.name) == []
    assert await world.snapshots.accept("unknown", "") == []


async def test_warnings_of_the_policy_are_logged_when_it_comes_into_force(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    (world.folder / "own.csv").write_text(
        "p, 1, all, role:admin, *, tool/*/*, *, , allow,\ng, bob, role:user, *\n"
    )
    warned = settings(policy={"rules": ["own.csv"]})
    prepared = await world.snapshots.prepare(warned, world.folder)
    quiet = caplog.text
    world.snapshots.commit(prepared)

    assert "policy:" not in quiet
    assert "policy: no g line gives anybody role:admin" in caplog.text


async def test_the_digest_is_of_everything_by_which_a_call_may_come_out_differently(
    world: World,
) -> None:
    digests = []
    for changed in (
        settings({}),
        settings({}, gateway={"contact": "x"}),
        settings({}, limits={"tenant": {"default": "1/day"}}),
        settings({}, guards={"own": {}}),
        settings({}, identity={"aliases": {"ada": "https://login.example.com|ada"}}),
        settings(),
    ):
        await world.take(changed)
        digests.append(world.now.digest)

    assert digests[0] == digests[1]
    assert len(set(digests)) == 5


def test_two_processes_take_the_same_digest_of_the_same_scopes() -> None:
    """A set has another order in every process."""
    say = (
        "from mcp_gateway.config import Server;"
        "print(Server(connector='x', requires=frozenset(map(str, range(50)))).model_dump_json())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", say],
            env={"PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[3],
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(said) == 1


async def test_a_gateway_that_ends_while_a_child_starts_leaves_no_child(world: World) -> None:
    child = {"connector": "mcp_stdio", "command": [sys.executable, str(EXAMPLE)]}
    await world.take(settings({"time": child}))
    async with asyncio.timeout(BOUND):
        while "spawn" not in world.ledger.kinds:
            await asyncio.sleep(0)

    await world.snapshots.aclose()

    assert world.ledger.kinds == ["spawn", "child.ended"]
