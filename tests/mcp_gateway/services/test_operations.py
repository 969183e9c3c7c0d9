import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connectors import Services
from mcp_gateway.config import Settings
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import InvalidRequest, UnknownTarget
from mcp_gateway.core.snapshot import Chains, Current, Snapshot, unanswered
from mcp_gateway.core.target import Definition, Target
from mcp_gateway.services.attendance import Attendance
from mcp_gateway.services.bulletin import Bulletin
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.services.operations import DAY, OPERATIONS, Operations
from mcp_gateway.services.review import Review
from mcp_gateway.services.snapshots import Snapshots
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import Keys, digest_of
from mcp_gateway.store.pins import AccessRequests, Pins
from mcp_gateway.store.tables import AccessRequestRow
from mcp_gateway.wire.http import HttpClient, Network
from tests.support import calls
from tests.support.calls import ALICE
from tests.support.fakes import FakeConnector, FakeLedger
from tests.support.raw_server import listening

ORDERS = {"connector": "openapi", "document": "builtin:orders"}


class Office:
    """The operations on a store of their own."""

    def __init__(self, folder: Path) -> None:
        self.database = Database.open(folder / "gateway.db")
        self.keys, self.current = Keys(self.database), Current()
        self.requests = AccessRequests(self.database)
        keyring = KeyringService(self.current, self.database, self.keys)
        self.operations = Operations(self.keys, keyring, self.requests)
        self.folder = folder

    async def run(self, name: str, /, **arguments: Any) -> Any:
        return (await self.told(name, **arguments))[0]

    async def told(
        self, name: str, world: Snapshot | None = None, /, **arguments: Any
    ) -> tuple[Any, Call]:
        """What it answers, and the call with what is for the record."""
        made = calls.resolved(
            Target("operation", "gateway", name),
            params={"name": name, "arguments": arguments},
            snapshot=world,
        )
        return (await self.operations.run(made)).view()["value"], made


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


async def test_a_key_that_was_created_authenticates_at_once(office: Office) -> None:
    made, call = await office.told(
        "keys.create", subject="ada", roles=["desk", "user"], client="laptop", days=1
    )

    found = office.current.keyring.keys[digest_of(made["key"])]
    assert (found.principal.subject, found.principal.tenant) == ("ada", ALICE.tenant)
    assert found.principal.roles == {"desk", "user"}
    assert abs(made["expires"] - (time.time() + DAY)) < 5
    assert call.facts == {"key": made["id"], "for": "ada", "with": ["desk", "user"]}
    assert made["key"] not in repr(call.facts)


async def test_a_key_for_ever_does_not_expire(office: Office) -> None:
    assert (await office.run("keys.create", subject="ada", days=0))["expires"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "subject: Field required"),
        ({"subject": "a b"}, "subject"),
        ({"subject": "ada", "days": -1}, "days"),
        ({"subject": "ada", "days": 99999}, "days"),
        ({"subject": "ada", "roles": ["user admin"]}, "roles.0"),
        ({"subject": "ada", "roles": [""]}, "roles.0"),
        ({"subject": "ada", "scopes": ["a\nb"]}, "scopes.0"),
        ({"subject": "ada", "mode": "a b"}, "mode"),
        ({"subject": "ada", "client": "a\x1b[2J"}, "client"),
        ({"subject": "ada", "tenant": "other"}, "tenant"),
    ],
)
async def test_what_a_key_cannot_be_for_is_refused_with_its_place(
    office: Office, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said):
        await office.run("keys.create", **arguments)
    assert office.keys.list(ALICE.tenant) == []


@pytest.mark.requirement("identity:keys-are-revoked-within-a-second")
async def test_a_key_that_was_revoked_authenticates_no_more(office: Office) -> None:
    made = await office.run("keys.create", subject="ada")
    _, call = await office.told("keys.revoke", id=made["id"])

    assert not office.current.keyring.keys
    assert call.facts == {"key": made["id"]}
    assert [key["id"] for key in await office.run("keys.list")] == [made["id"]]
    with pytest.raises(InvalidRequest, match="there is no key 'none'"):
        await office.run("keys.revoke", id="none")


async def test_the_list_of_keys_is_of_the_callers_tenant_and_holds_no_secret(
    office: Office,
) -> None:
    made = await office.run("keys.create", subject="ada")
    office.keys.create(calls.ALICE.__class__("local", "eve", "other"), 1)
    listed = await office.run("keys.list")

    assert [key["subject"] for key in listed] == ["ada"]
    assert made["key"] not in repr(listed)


async def test_requests_for_access_are_listed(office: Office) -> None:
    row = AccessRequestRow(
        id="", identity="local|ada", tenant="acme", target="tool/a/b", reason="why", asked=5
    )
    number = office.requests.add(row, most=9)

    assert await office.run("access.list") == [
        {
            "id": number,
            "identity": "local|ada",
            "tenant": "acme",
            "target": "tool/a/b",
            "reason": "why",
            "asked": 5,
            "closed": 0,
        }
    ]


async def test_an_operation_that_does_not_exist_is_unknown(office: Office) -> None:
    with pytest.raises(UnknownTarget, match=r"no operation is called 'keys\.steal'"):
        await office.run("keys.steal")


async def test_before_there_are_servers_there_is_nothing_to_list_or_accept(office: Office) -> None:
    assert await office.run("servers.list") == await office.run("servers.diff") == []
    with pytest.raises(InvalidRequest, match="nothing of 'orders' is held back"):
        await office.run("servers.accept", server="orders")


@pytest.fixture
async def served(office: Office) -> AsyncIterator[Office]:
    """With a server that has answered, and of which one tool is held back."""
    pins = Pins(office.database)
    pins.pin([Definition("tool", "orders", "list_orders", b"{}", "sha256:other")], 1)
    made = office.operations.snapshots = Snapshots(
        office.current,
        Review(pins),
        lambda _: FakeConnector(),
        [],
        Services(HttpClient(Network(loopback=True)), FakeLedger(), office.folder),
        lambda *_: Chains(unanswered),
        Attendance(Bulletin()),
    )
    async with listening() as url:
        settings = Settings.model_validate({"servers": {"orders": {**ORDERS, "url": url}}})
        made.commit(await made.prepare(settings, office.folder))
        async with asyncio.timeout(5):
            while made.running["orders"].trouble:
                await asyncio.sleep(0.01)
        yield office
        await made.aclose()


async def test_servers_are_listed_with_what_is_wrong_and_what_is_held_back(
    served: Office,
) -> None:
    world = served.current.of("default")
    ((listed,), _) = await served.told("servers.list", world)

    held = listed.pop("held")
    calm = {"name": "orders", "connector": "openapi", "labels": [], "trouble": "", "detail": ""}
    assert listed == {**calm, "served": 0}
    assert "its definition changed" in held["tool/orders/list_orders"]
    assert all(target.startswith("tool/orders/") for target in held)


@pytest.mark.requirement("servers:what-changed-is-shown")
async def test_what_changed_is_shown_for_one_server_or_all(served: Office) -> None:
    found = await served.run("servers.diff", server="orders")

    states = {difference["target"]: difference["state"] for difference in found}
    assert states["tool/orders/list_orders"] == "changed"
    assert set(states.values()) == {"changed", "new"}
    assert await served.run("servers.diff") == found
    assert await served.run("servers.diff", server="nobody") == []


async def test_what_is_accepted_is_for_the_record(served: Office) -> None:
    accepted, call = await served.told("servers.accept", server="orders", name="list_orders")

    assert accepted == {"accepted": ["tool/orders/list_orders"]}
    assert call.facts == {"accepted": ["tool/orders/list_orders"]}


def test_every_operation_has_a_route_of_its_own() -> None:
    routes = [operation.route for operation in OPERATIONS.values()]

    assert len(set(routes)) == len(routes)
    assert all(route.split(" ")[0] in ("GET", "POST", "PUT", "DELETE") for route in routes)
