"""What stays open, looked at again: who it is by now, and whether it may."""

import asyncio
from collections.abc import Callable

import pytest

from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Current, Snapshot
from mcp_gateway.edge import standing
from mcp_gateway.edge.asgi import Headers, HttpError
from mcp_gateway.edge.standing import Open, Standing, presented
from tests.support.calls import ALICE, snapshot
from tests.support.waiting import until

SHOWN = presented({b"authorization": b"Bearer s3cret", b"cookie": b"x"}, "/mcp")


class Door:
    """Who is let in, by a test's word. Implements `standing.Again`."""

    def __init__(self) -> None:
        self.who: Principal | None = ALICE
        self.asked: list[tuple[Headers, str]] = []

    def again(self, headers: Headers, path: str) -> Principal:
        self.asked.append((headers, path))
        if self.who is None:
            raise HttpError(401, "gone")
        return self.who


class Hall:
    def __init__(self) -> None:
        self.door = Door()
        self.current = Current()
        self.current.swap(snapshot())
        self.standing = Standing(self.current, lambda: self.door)
        self.ended: list[str] = []

    def open(
        self,
        still: Callable[[Snapshot, Principal], bool] = lambda _, __: True,
        tenant: str = "acme",
    ) -> Callable[[], None]:
        return self.standing.add(Open(tenant, SHOWN, still, self.ended.append))


async def test_what_may_stay_stays_and_of_its_headers_the_credential_alone_is_kept() -> None:
    hall = Hall()
    seen = list[tuple[Snapshot, Principal]]()
    hall.open(lambda world, who: not seen.append((world, who)))  # type: ignore[func-returns-value]

    await hall.standing.look()

    assert hall.ended == []
    assert seen == [(hall.current.of("acme"), ALICE)]
    assert hall.door.asked == [({b"authorization": b"Bearer s3cret"}, "/mcp")]
    assert "s3cret" not in repr(SHOWN)


@pytest.mark.requirement("standing:authenticated-again-on-each-swap")
async def test_who_is_let_in_no_more_loses_what_they_opened() -> None:
    hall = Hall()
    hall.open()
    hall.door.who = None

    await hall.standing.look()

    assert hall.ended == ["revoked"]


@pytest.mark.requirement("standing:authorized-again-on-each-swap")
@pytest.mark.parametrize("tenant", ["acme", "other"])
async def test_what_may_be_no_more_or_is_another_tenants_now_ends(tenant: str) -> None:
    hall = Hall()
    hall.open(lambda _, __: tenant != "acme", tenant)

    await hall.standing.look()

    assert hall.ended == ["revoked"]


async def test_a_tenant_that_is_served_no_more_has_nothing_open() -> None:
    hall = Hall()
    hall.door.who = Principal("local", "eve", "globex")
    hall.open(tenant="globex")

    await hall.standing.look()

    assert hall.ended == ["revoked"]


@pytest.mark.requirement("standing:authorized-again-on-each-swap")
async def test_after_a_swap_all_is_looked_at_once_however_many_swaps_there_were() -> None:
    hall = Hall()
    for _ in range(250):
        hall.open()
    following = asyncio.get_running_loop().create_task(hall.standing.follow())
    hall.current.swap(snapshot())
    await until(lambda: len(hall.door.asked) == 250)
    hall.door.asked.clear()
    for _ in range(5):
        hall.current.swap(snapshot())
    await until(lambda: len(hall.door.asked) >= 250)
    for _ in range(10):
        await asyncio.sleep(0)
    following.cancel()

    assert len(hall.door.asked) == 250


async def test_a_credential_that_expires_is_noticed_without_a_swap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(standing, "EVERY", 0.01)
    hall = Hall()
    hall.open()
    following = asyncio.get_running_loop().create_task(hall.standing.follow())
    await until(lambda: len(hall.door.asked) > 1)
    hall.door.who = None
    await until(lambda: hall.ended)
    following.cancel()

    assert hall.ended[0] == "revoked"


async def test_what_has_ended_by_itself_is_not_looked_at() -> None:
    hall = Hall()
    gone = hall.open()
    gone()
    gone()

    await hall.standing.look()

    assert (len(hall.standing), hall.door.asked) == (0, [])


@pytest.mark.requirement("listens:end-when-the-gateway-stops")
async def test_a_gateway_that_stops_ends_all_and_what_is_opened_then() -> None:
    hall = Hall()
    hall.open()
    hall.standing.close()
    hall.open()

    assert hall.ended == ["stopping", "stopping"]


async def test_what_is_kept_elsewhere_is_looked_at_too() -> None:
    hall = Hall()
    looked = list[int]()

    async def look() -> None:
        looked.append(1)

    hall.standing.also(look)

    await hall.standing.look()

    assert looked == [1]
