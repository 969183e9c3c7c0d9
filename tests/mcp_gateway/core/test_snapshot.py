from dataclasses import FrozenInstanceError, replace

import pytest

from mcp_gateway.core.decision import NEVER, STANDING, Obligation
from mcp_gateway.core.snapshot import GATEWAY, ApiKey, Current, Keyring, Upstream
from mcp_gateway.core.target import Target
from tests.support.calls import ADD, ALICE, snapshot
from tests.support.fakes import FakeConnector

KEYRING = Keyring({b"digest": ApiKey("k-1", ALICE)}, frozenset({"key:k-0"}), generation=3)


def test_a_server_owes_its_guard_on_both_sides_and_what_is_configured() -> None:
    keep = Obligation("keep", "arguments")
    owed = Upstream("s", FakeConnector(), guard="strict", obligations=frozenset({keep})).owed
    guards = {Obligation("guard", "strict"), Obligation("guard", "strict", "result")}
    assert owed == STANDING | guards | {keep}


def test_an_upstream_is_guarded_unless_it_says_otherwise() -> None:
    assert Obligation("guard", "standard") in Upstream("s", FakeConnector()).owed


def test_an_unknown_server_owes_what_nobody_can_discharge() -> None:
    assert snapshot().owed("elsewhere") == STANDING | NEVER
    assert snapshot().owed("") == STANDING | NEVER


def test_a_listing_is_answered_by_the_gateway_whichever_server_it_is_of() -> None:
    world, own = snapshot(), FakeConnector()
    world = replace(world, upstreams={**world.upstreams, GATEWAY: Upstream(GATEWAY, own)})
    assert world.connector(Target("catalog", "github", "tools/list")) is own
    assert world.connector(ADD) is world.upstreams["github"].connector


def test_an_unregistered_server_has_no_connector() -> None:
    with pytest.raises(KeyError):
        snapshot().connector(Target("tool", "elsewhere", "x"))


def test_a_snapshot_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        snapshot().generation = 8  # type: ignore[misc]  # what must not work


def test_a_tenant_without_a_snapshot_has_none() -> None:
    assert Current().of("acme") is None


def test_a_swap_is_of_one_tenant() -> None:
    current, other = Current(), replace(snapshot(), tenant="other")
    current.swap(other)
    current.swap(snapshot())
    assert current.of("other") == other
    assert set(current.tenants) == {"acme", "other"}


@pytest.mark.requirement("snapshot:a-call-sees-one-world")
def test_who_picked_up_a_snapshot_keeps_it_over_a_swap() -> None:
    current = Current()
    current.swap(snapshot())
    mine = current.of("acme")
    current.swap(replace(snapshot(), generation=8))
    assert mine is not None
    assert mine.generation == 7
    assert current.tenants["acme"].generation == 8


@pytest.mark.requirement("snapshot:keyring-alone")
def test_a_keyring_is_swapped_alone_and_for_every_tenant() -> None:
    current = Current()
    current.swap(snapshot())
    current.swap(replace(snapshot(), tenant="other"))
    before = current.tenants["acme"]
    current.swap_keyring(KEYRING)
    assert all(world.keyring is KEYRING for world in current.tenants.values())
    assert current.tenants["acme"].policy is before.policy
    assert current.tenants["acme"].generation == before.generation


def test_a_new_snapshot_cannot_bring_back_an_old_keyring() -> None:
    current = Current()
    current.swap_keyring(KEYRING)
    current.swap(replace(snapshot(), keyring=Keyring(generation=1)))
    assert current.tenants["acme"].keyring is KEYRING


def test_every_swap_is_announced_after_it_is_in_force() -> None:
    current, seen = Current(), list[tuple[int, int]]()
    current.watch(lambda: seen.append((len(current.tenants), current.keyring.generation)))
    current.swap(snapshot())
    current.swap_keyring(KEYRING)
    assert seen == [(1, 0), (1, 3)]


def test_the_tenants_that_are_handed_out_are_a_copy() -> None:
    current = Current()
    before = current.tenants
    current.swap(snapshot())
    assert dict(before) == {}
