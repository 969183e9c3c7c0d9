import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.definitions import define
from mcp_gateway.core import ports
from mcp_gateway.core.credential import Credential, CredentialRefused, Grant, Rejected, Shown
from mcp_gateway.core.errors import ConsentRequired, UpstreamFailed
from mcp_gateway.core.grants import grant_key
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Keyring, Upstream
from mcp_gateway.core.target import Definition
from mcp_gateway.core.views import UNSEEN
from mcp_gateway.oauth.ports import Brought
from mcp_gateway.services import views
from mcp_gateway.services.views import PersonalViews
from tests.support import calls
from tests.support.connecting import ALICE, Bench, bench
from tests.support.fakes import FakeConnector

BOB = Principal("local", "bob", "default")


def tool(name: str) -> Definition:
    return define("docs", "tool", {"name": name, "inputSchema": {"type": "object"}})


class Docs(FakeConnector):
    """Lists for each person what is theirs; `gate` keeps everybody waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.lists: dict[str, Sequence[Definition] | Exception] = {}
        self.asked: list[str] = []
        self.gate: asyncio.Event | None = None

    async def discover(self, credential: Credential) -> Sequence[Definition]:
        self.asked.append(credential.reference)
        if self.gate:
            await self.gate.wait()
        listed = self.lists[credential.reference]
        if isinstance(listed, Exception):
            raise listed
        return listed


class Looks:
    """The views, and what they told."""

    def __init__(self, at: Bench) -> None:
        self.docs = Docs()
        self.saw: list[tuple[str, list[str]]] = []
        self.changes = 0
        self.refusal: Exception | None = None

        self.rejected: list[Rejected] = []
        self.shown: list[Shown] = []
        self.another: str | Exception = UpstreamFailed("there is no other")

        def connector(server: str) -> ports.Connector | None:
            return self.docs if server == "docs" else None

        def saw(server: str, listed: Sequence[Definition]) -> None:
            self.saw.append((server, [d.name for d in listed]))

        def changed() -> None:
            self.changes += 1

        self.views = PersonalViews(at.connections, self.of_person, connector, saw, changed)

    async def of_person(
        self,
        principal: Principal,
        server: str,  # noqa: ARG002  # of the protocol
        shown: Shown,
        rejected: Rejected | None = None,
    ) -> Credential:
        self.shown.append(shown)
        if self.refusal:
            raise self.refusal
        if not rejected:
            return Credential(principal.subject)
        self.rejected.append(rejected)
        if isinstance(self.another, Exception):
            raise self.another
        return Credential(self.another)


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Bench]:
    made = bench(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def looks(at: Bench) -> Looks:
    return Looks(at)


async def connected(at: Bench, principal: Principal = ALICE) -> None:
    await at.connections.made(principal, "docs", "delegated", Brought({"access_token": "at"}))


def listing(at: Bench, principal: Principal = ALICE) -> Any:
    upstreams = {"docs": Upstream("docs", FakeConnector(), Grant("delegated"))}
    keyring: Keyring = at.current.keyring
    world = calls.snapshot(upstreams=upstreams, keyring=keyring)
    return calls.call("tools/list", {}, principal=principal, snapshot=world)


def names(looks: Looks, principal: Principal = ALICE) -> list[str]:
    return [name for _, name in looks.views.of(grant_key(principal, "docs")).names]


@pytest.mark.requirement("connecting:each-sees-their-own-list")
async def test_each_view_is_one_persons_alone(looks: Looks) -> None:
    looks.docs.lists = {"alice": [tool("read"), tool("write")], "bob": [tool("read")]}

    await looks.views.look(ALICE, "docs")
    nobody_looked = looks.views.of(grant_key(BOB, "docs"))
    await looks.views.look(BOB, "docs")

    assert nobody_looked is UNSEEN
    assert names(looks) == ["read", "write"]
    assert names(looks, BOB) == ["read"]
    assert looks.saw == [("docs", ["read", "write"]), ("docs", ["read"])]


async def test_the_same_list_again_is_the_same_view(looks: Looks) -> None:
    looks.docs.lists = {"alice": [tool("read")]}
    await looks.views.look(ALICE, "docs")
    first = looks.views.of(grant_key(ALICE, "docs")).stamp
    await looks.views.look(ALICE, "docs")
    again = looks.views.of(grant_key(ALICE, "docs")).stamp
    looks.docs.lists = {"alice": [tool("write")]}
    await looks.views.look(ALICE, "docs")

    assert again == first
    assert looks.views.of(grant_key(ALICE, "docs")).stamp != first
    assert looks.changes == 2


async def test_who_asks_for_a_list_waits_for_what_is_not_known_and_then_no_more(
    at: Bench, looks: Looks
) -> None:
    await connected(at)
    looks.docs.lists = {"alice": [tool("read")]}

    await looks.views.ready(listing(at))
    await looks.views.ready(listing(at))
    await looks.views.ready(listing(at, BOB))

    assert names(looks) == ["read"]
    assert looks.docs.asked == ["alice"]


async def test_many_who_ask_at_once_cause_one_look(at: Bench, looks: Looks) -> None:
    await connected(at)
    looks.docs.lists, looks.docs.gate = {"alice": [tool("read")]}, asyncio.Event()

    waiting = [asyncio.ensure_future(looks.views.ready(listing(at))) for _ in range(64)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    looks.docs.gate.set()
    await asyncio.gather(*waiting, return_exceptions=True)

    assert names(looks) == ["read"]
    assert looks.docs.asked == ["alice"]


async def test_nobody_waits_for_a_slow_server_longer_than_they_must(
    at: Bench, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "PATIENCE", 0.01)
    await connected(at)
    looks.docs.gate = asyncio.Event()

    await looks.views.ready(listing(at))

    assert looks.views.of(grant_key(ALICE, "docs")) is UNSEEN
    await looks.views.aclose()


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (UpstreamFailed("docs: connection refused"), "docs: connection refused"),
        (OSError("gone"), "it did not answer"),
        (RuntimeError("a fault"), "the gateway failed to look at it"),
    ],
)
@pytest.mark.requirement("connecting:health-before-a-call")
async def test_what_was_seen_stands_while_its_server_is_away_and_the_trouble_is_shown(
    at: Bench, looks: Looks, failure: Exception, said: str
) -> None:
    await connected(at)
    looks.docs.lists = {"alice": [tool("read")]}
    await looks.views.look(ALICE, "docs")
    looks.docs.lists = {"alice": failure}

    await looks.views.look(ALICE, "docs")

    key = grant_key(ALICE, "docs")
    assert names(looks) == ["read"]
    assert looks.views.trouble_of(key) == said
    assert at.current.keyring.grants[key].state == "connected"


@pytest.mark.requirement("connecting:health-before-a-call")
@pytest.mark.parametrize(
    "another", ["alice-2", ConsentRequired("docs", "http://127.0.0.1/connect/x")]
)
async def test_a_grant_that_its_server_refuses_again_is_broken_and_its_view_goes(
    at: Bench, looks: Looks, another: str | Exception
) -> None:
    await connected(at)
    looks.docs.lists = {"alice": [tool("read")]}
    await looks.views.look(ALICE, "docs")
    looks.docs.lists = {"alice": CredentialRefused(), "alice-2": CredentialRefused()}
    looks.another = another

    await looks.views.look(ALICE, "docs")

    assert looks.views.of(grant_key(ALICE, "docs")) is UNSEEN
    assert at.current.keyring.grants[grant_key(ALICE, "docs")].state == "broken"


@pytest.mark.requirement("connecting:a-look-renews-once")
async def test_a_credential_that_the_server_refuses_is_renewed_once_as_for_a_call(
    at: Bench, looks: Looks
) -> None:
    await connected(at)
    refusal = CredentialRefused("Bearer")
    looks.docs.lists = {"alice": refusal, "alice-2": [tool("read")]}
    looks.another = "alice-2"

    await looks.views.look(ALICE, "docs")

    assert names(looks) == ["read"]
    assert looks.rejected == [Rejected(Credential("alice"), refusal)]
    assert looks.docs.asked == ["alice", "alice-2"]
    assert at.current.keyring.grants[grant_key(ALICE, "docs")].state == "connected"


@pytest.mark.requirement("connecting:a-look-renews-once")
@pytest.mark.parametrize(
    "another", [UpstreamFailed("docs: away"), ConsentRequired("docs", "http://127.0.0.1/connect/x")]
)
async def test_a_credential_that_may_do_too_little_for_the_list_breaks_no_grant(
    at: Bench, looks: Looks, another: Exception
) -> None:
    await connected(at)
    looks.docs.lists = {"alice": CredentialRefused(status=403)}
    looks.another = another

    await looks.views.look(ALICE, "docs")

    key = grant_key(ALICE, "docs")
    assert looks.views.trouble_of(key) in ("docs: away", "it has to be connected again")
    assert at.current.keyring.grants[key].state == "connected"


@pytest.mark.requirement("connecting:exchanged-lists")
async def test_where_tokens_are_exchanged_the_list_is_asked_for_with_what_its_caller_came_with(
    looks: Looks,
) -> None:
    looks.docs.lists = {"alice": [tool("read")], "bob": CredentialRefused()}
    upstream = Upstream("docs", FakeConnector(), Grant("token_exchange"))
    world = calls.snapshot(upstreams={"docs": upstream})
    less = replace(ALICE, client="another")

    for who in (ALICE, BOB):
        asked = calls.call("tools/list", {}, principal=who, snapshot=world)
        asked.shown = Shown(who.subject.encode())
        await looks.views.ready(asked)

    seen = [looks.views.of(upstream.whose(who)) for who in (ALICE, less, BOB)]
    assert [list(view.names) for view in seen] == [[("tool", "read")], [], []]
    assert looks.shown == [Shown(b"alice"), Shown(b"bob"), Shown(b"bob")]
    assert looks.views.trouble_of(upstream.whose(BOB)) == "there is no other"


async def test_a_grant_that_has_to_be_given_again_says_so(at: Bench, looks: Looks) -> None:
    looks.refusal = ConsentRequired("docs", "http://127.0.0.1/connect/x")

    await looks.views.look(ALICE, "docs")

    assert looks.views.trouble_of(grant_key(ALICE, "docs")) == "it has to be connected again"


async def test_of_a_server_that_does_not_run_nothing_is_seen(looks: Looks) -> None:
    await looks.views.look(ALICE, "gone")

    assert looks.views.of(grant_key(ALICE, "gone")).names == {}


@pytest.mark.requirement("attack:f6")
async def test_another_consent_makes_what_was_seen_void(looks: Looks) -> None:
    looks.docs.lists = {"alice": [tool("read")]}
    await looks.views.look(ALICE, "docs")
    looks.docs.lists = {"alice": [tool("write")]}

    await looks.views.again(ALICE, "docs", connected=True)
    meanwhile = looks.views.of(grant_key(ALICE, "docs"))
    await looks.views.look(ALICE, "docs")
    await looks.views.again(BOB, "docs", connected=False)

    assert meanwhile is UNSEEN
    assert names(looks) == ["write"]
    assert looks.docs.asked == ["alice", "alice"]


@pytest.mark.requirement("connecting:health-before-a-call")
async def test_grants_that_nobody_uses_are_looked_at_once_a_day(
    at: Bench, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    at.now = 1000.0
    await connected(at)
    looks.docs.lists = {"alice": [tool("read")]}

    await looks.views.look_at_stale()
    await looks.views.look_at_stale()

    assert looks.docs.asked == ["alice"]


async def test_the_oldest_view_goes_when_there_are_too_many(
    looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MOST", 1)
    looks.docs.lists = {"alice": [tool("read")], "bob": [tool("read")]}

    await looks.views.look(ALICE, "docs")
    await looks.views.look(BOB, "docs")

    assert looks.views.of(grant_key(ALICE, "docs")) is UNSEEN
    assert names(looks, BOB) == ["read"]


@pytest.mark.requirement("attack:f6")
async def test_a_look_that_began_under_an_earlier_consent_shows_nothing(
    at: Bench, looks: Looks
) -> None:
    looks.docs.lists, looks.docs.gate = {"alice": [tool("secret")]}, asyncio.Event()
    before = asyncio.ensure_future(looks.views.look(ALICE, "docs"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    await looks.views.again(ALICE, "docs", connected=False)
    looks.docs.gate.set()
    await before

    assert looks.docs.asked == ["alice"]
    assert looks.views.of(grant_key(ALICE, "docs")) is UNSEEN
    assert looks.saw == []
