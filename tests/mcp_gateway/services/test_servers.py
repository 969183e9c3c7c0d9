import asyncio
import threading
from collections.abc import AsyncIterator, Container, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from connectors.definitions import define
from mcp_gateway.config import Server
from mcp_gateway.core.asking import Offered
from mcp_gateway.core.credential import Credential, CredentialRefused
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.core.target import Definition, Target
from mcp_gateway.services import servers
from mcp_gateway.services.lease import Leased
from mcp_gateway.services.review import Review, Reviewed, Trust
from mcp_gateway.services.servers import Discovery, NobodyYet, Running
from mcp_gateway.store.database import Database
from mcp_gateway.store.pins import Pins
from mcp_gateway.wire import jsonrpc
from tests.support.calls import resolved
from tests.support.fakes import FakeConnector, shows_nothing

BOUND = 5.0


def tool(name: str, description: str = "") -> Definition:
    shown = {"name": name, "description": description, "inputSchema": {"type": "object"}}
    return define("desk", "tool", shown)


class Upstream(FakeConnector):
    """Lists what is in `answers`, one a time: definitions, or the failure to be raised."""

    def __init__(self, *answers: Sequence[Definition] | Exception) -> None:
        super().__init__()
        self.answers = list(answers)
        self.shown: list[Credential] = []

    async def discover(self, credential: Credential) -> Sequence[Definition]:
        self.shown.append(credential)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Held(Review):
    """A review that takes as long as the test wants."""

    def __init__(self, pins: Pins) -> None:
        super().__init__(pins)
        self.entered, self.go = threading.Event(), threading.Event()

    def of(
        self,
        server: str,
        listed: Sequence[Definition],
        trust: Trust,
        insisted: Container[str] = frozenset(),
        *,
        personal: bool = False,
    ) -> Reviewed:
        self.entered.set()
        assert self.go.wait(BOUND)
        return super().of(server, listed, trust, insisted, personal=personal)


@pytest.fixture
def pins(tmp_path: Path) -> Pins:
    return Pins(Database.open(tmp_path / "gateway.db"))


def running(connector: Upstream, **config: str) -> Running:
    server = Server.model_validate({"connector": "mcp_http", **config})
    return Running("desk", server, Leased("desk", connector), shows_nothing)


class Changes:
    """What was there each time that a new snapshot was asked for."""

    def __init__(self, of: Running) -> None:
        self._of = of
        self.seen: list[tuple[str, int]] = []
        self.happened = asyncio.Event()

    def __call__(self) -> None:
        self.seen.append((self._of.trouble, len(self._of.reviewed.served)))
        self.happened.set()

    async def wait(self, count: int) -> None:
        async with asyncio.timeout(BOUND):
            while len(self.seen) < count:
                self.happened.clear()
                await self.happened.wait()


@asynccontextmanager
async def followed(review: Review, of: Running) -> AsyncIterator[Changes]:
    changes = Changes(of)
    task = asyncio.get_running_loop().create_task(
        Discovery(review, changes, lambda _: None).follow(of)
    )
    try:
        yield changes
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.requirement("operations:ready-means-served")
async def test_a_server_is_in_trouble_until_its_tools_are_in_a_snapshot(pins: Pins) -> None:
    review, desk = Held(pins), running(Upstream([tool("open")]))
    async with followed(review, desk) as changes:
        await asyncio.to_thread(review.entered.wait, BOUND)
        meanwhile = desk.trouble
        review.go.set()
        await changes.wait(1)

    assert meanwhile == "it has not answered yet"
    assert changes.seen == [("", 1)]


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (UpstreamFailed("desk: connection refused"), "desk: connection refused"),
        (CredentialRefused(), "it refuses the gateway's credential"),
        (OSError("no such file"), "no such file"),
        (ValueError("the secret DESK cannot be read"), "the secret DESK cannot be read"),
    ],
)
@pytest.mark.requirement("servers:one-away-costs-its-own-tools")
async def test_what_keeps_a_server_away_is_said_and_tried_again(
    pins: Pins, monkeypatch: pytest.MonkeyPatch, failure: Exception, said: str
) -> None:
    monkeypatch.setattr(servers, "FIRST_PAUSE", 0.01)
    desk = running(Upstream(failure, [tool("open")]))
    async with followed(Review(pins), desk) as changes:
        await changes.wait(2)

    assert changes.seen == [(said, 0), ("", 1)]


async def test_a_server_that_never_lists_is_given_up_for_a_while(
    pins: Pins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "DISCOVERY_BOUND", 0.01)

    class Silent(Upstream):
        async def discover(self, credential: Credential) -> Sequence[Definition]:
            self.shown.append(credential)
            await asyncio.Event().wait()
            return ()

    desk = running(Silent())
    async with followed(Review(pins), desk) as changes:
        await changes.wait(1)

    assert changes.seen == [("it did not list its tools within 0.01 s", 0)]


async def test_a_fault_of_the_gateways_own_is_trouble_of_that_server_and_tried_again(
    pins: Pins, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(servers, "FIRST_PAUSE", 0.01)

    class Broken(Review):
        faults = 1

        def of(
            self,
            server: str,
            listed: Sequence[Definition],
            trust: Trust,
            insisted: Container[str] = frozenset(),
            *,
            personal: bool = False,
        ) -> Reviewed:
            if self.faults:
                self.faults -= 1
                raise ZeroDivisionError
            return super().of(server, listed, trust, insisted, personal=personal)

    desk = running(Upstream([tool("open")]))
    async with followed(Broken(pins), desk) as changes:
        await changes.wait(2)

    assert changes.seen == [("the gateway failed to look at it: see its log", 0), ("", 1)]
    assert "ZeroDivisionError" in caplog.text


async def test_nothing_new_makes_no_new_snapshot(pins: Pins) -> None:
    upstream = Upstream([tool("open")])
    desk = running(upstream)
    async with followed(Review(pins), desk) as changes:
        await changes.wait(1)
        for _ in range(3):
            desk.wanted.set()
            await asyncio.to_thread(pins.of, "desk")
        desk.config = Server.model_validate({"connector": "mcp_http", "trust": "follow"})
        upstream.answers = [[tool("open"), tool("close")]]
        desk.wanted.set()
        await changes.wait(2)

    assert changes.seen == [("", 1), ("", 2)]


async def test_a_server_that_was_served_and_goes_away_is_in_trouble(pins: Pins) -> None:
    desk = running(Upstream([tool("open")], UpstreamFailed("gone")))
    async with followed(Review(pins), desk) as changes:
        await changes.wait(1)
        desk.wanted.set()
        await changes.wait(2)

    assert changes.seen[-1][0] == "gone"


@pytest.mark.requirement("servers:the-approved-one-goes-on")
@pytest.mark.parametrize(("code", "served"), [(-32602, 0), (-32601, 0), (-32603, 1)])
async def test_an_approved_definition_is_served_until_its_upstream_refuses_it(
    pins: Pins, monkeypatch: pytest.MonkeyPatch, code: int, served: int
) -> None:
    monkeypatch.setattr(servers, "SPACING", 0)
    approved, changed = tool("open"), tool("open", "otherwise")
    pins.pin([approved], 1)
    connector = Upstream([changed])
    connector.answer = jsonrpc.body(b'{"code":%d,"message":"no"}' % code, failed=True)
    desk = running(connector)
    async with followed(Review(pins), desk) as changes:
        await changes.wait(1)
        before = list(desk.reviewed.served)
        target = Target("tool", "desk", "open", approved.digest)
        await desk.connector.send(resolved(target))
        if not served:
            await changes.wait(2)

    assert before == [approved]
    assert (len(desk.reviewed.served), desk.wanted.is_set()) == (served, False)


async def test_a_list_that_changes_again_is_no_longer_insisted_on(
    pins: Pins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "SPACING", 0)
    pins.pin([tool("open")], 1)
    desk = running(Upstream([tool("open", "once more")]))
    desk.insisted = {"sha256:of-before"}
    async with followed(Review(pins), desk) as changes:
        await changes.wait(1)

    assert (desk.insisted, desk.reviewed.served) == (set(), [tool("open")])


@pytest.mark.requirement("capabilities:offered-and-relayed")
async def test_what_an_upstream_offers_otherwise_is_a_change(
    pins: Pins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "SPACING", 0)

    class Offering(Upstream):
        offered = Offered("modern", {})

    connector = Offering([tool("open")])
    desk = running(connector)
    async with followed(Review(pins), desk) as changes:
        await changes.wait(1)
        connector.offered = Offered("modern", {"logging": b"{}"})
        desk.wanted.set()
        await changes.wait(2)

    assert desk.offered.capabilities == {"logging": b"{}"}


def test_the_bounds_of_a_server_are_those_of_its_section() -> None:
    desk = running(Upstream([]))
    before = (desk.connector.admission.most, desk.connector.admission.breaker)
    desk.take(
        Server(connector="mcp_http", concurrency=3, idempotent=frozenset({"open"})), desk.credential
    )

    assert before == (64, 5)
    assert (desk.connector.admission.most, desk.connector.idempotent) == (3, frozenset({"open"}))


@pytest.mark.requirement("connecting:the-first-who-connects-shows-the-list")
async def test_a_server_that_nobody_may_ask_serves_what_was_approved_and_is_in_no_trouble(
    pins: Pins,
) -> None:
    pins.pin([tool("read")], 1)
    desk = running(Upstream([tool("read"), tool("write")]))
    desk.config = Server.model_validate({"connector": "x", "grant": {"kind": "delegated"}})
    asked = []

    async def nobody() -> Credential:
        asked.append(1)
        raise NobodyYet("nobody has connected desk yet")

    desk.credential = nobody
    async with followed(Review(pins), desk) as changes:
        await changes.wait(1)

    assert asked == [1]
    assert (desk.trouble, [d.name for d in desk.reviewed.served]) == ("", ["read"])


@pytest.mark.requirement("connecting:what-one-list-shows-is-reviewed-for-all")
async def test_what_only_one_persons_list_shows_is_held_back_until_it_is_reviewed(
    pins: Pins,
) -> None:
    pins.pin([tool("read")], 1)
    desk = running(Upstream([tool("read")]))
    desk.config = Server.model_validate({"connector": "x", "grant": {"kind": "delegated"}})
    async with followed(Review(pins), desk) as changes:
        await changes.wait(1)
        desk.saw([tool("read"), tool("audit")])
        await changes.wait(2)

    assert [d.name for d in desk.reviewed.served] == ["read"]
    assert list(desk.reviewed.held) == ["tool/desk/audit"]
    assert [d.name for d in desk.listed] == ["read", "audit"]


def test_what_everybody_knows_is_not_looked_at_again() -> None:
    desk = running(Upstream([]))
    desk.listed = [tool("read")]

    desk.saw([tool("read")])

    assert not desk.wanted.is_set()
