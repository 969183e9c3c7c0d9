"""An administrator lets people log in, and ends what they have: in their own tenant alone."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import InvalidRequest
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Current
from mcp_gateway.core.target import Target
from mcp_gateway.services.acts.people import ACTS, AddPerson, PeopleActs, Whom
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import Keys, digest_of
from mcp_gateway.store.people import PersonRows
from mcp_gateway.store.rows import PersonRow
from tests.support import calls
from tests.support.calls import ALICE

HASH = "$argon2id$v=19$m=65536,t=3,p=1$" + "c" * 22 + "$" + "x" * 43
OTHER = HASH[:-1] + "y"


class Desk:
    """The acts on a store of their own; `disconnected` has whose connections were ended."""

    def __init__(self, folder: Path) -> None:
        self.database = Database.open(folder / "gateway.db")
        self.rows, self.keys = PersonRows(self.database), Keys(self.database)
        self.current = Current()
        self.disconnected: list[tuple[str, ...]] = []
        keyring = KeyringService(self.current, self.database, self.keys)
        self.acts = PeopleActs(self.rows, keyring, self._disconnect)

    async def _disconnect(self, *whose: str) -> None:
        self.disconnected.append(whose)

    async def run(self, act: str, **asked: Any) -> Any:
        return (await self.told(act, **asked))[0]

    async def told(self, act: str, **asked: Any) -> tuple[Any, Call]:
        call = calls.resolved(Target("operation", "gateway", act))
        operation = ACTS[act]
        parameters = operation.parameters.model_validate(asked)
        return await operation.run(self.acts, call, parameters), call

    def elsewhere(self, subject: str) -> None:
        self._put(subject, "other", "local")

    def at_provider(self, subject: str) -> None:
        self._put(subject, ALICE.tenant, "https://login.example")

    def _put(self, subject: str, tenant: str, issuer: str) -> None:
        id_ = f"{tenant}|{issuer}|{subject}"
        row = PersonRow(id=id_, tenant=tenant, issuer=issuer, subject=subject, created=1)
        self.rows.add(row)

    def password_of(self, subject: str) -> str:
        row = self.rows.named(ALICE.tenant, subject)
        assert row is not None
        return row.password


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.requirement("people:by-administrators")
async def test_a_person_is_added_with_roles_and_the_entry_says_who_without_the_password(
    desk: Desk,
) -> None:
    said, call = await desk.told("people.add", name="ada", password=HASH, roles=["user", "ops"])
    listed = await desk.run("people.list")

    assert said == {"name": "ada", "roles": ["ops", "user"]}
    assert call.facts == {"for": "local|ada", "with": ["ops", "user"]}
    assert [(one["issuer"], one["subject"], one["roles"]) for one in listed] == [
        ("local", "ada", ["ops", "user"])
    ]
    assert desk.password_of("ada") == HASH
    assert "argon2" not in repr((said, listed, call.facts, AddPerson(name="a", password=HASH)))


@pytest.mark.requirement("people:by-administrators")
async def test_a_name_is_given_once_in_a_tenant(desk: Desk) -> None:
    desk.elsewhere("ada")
    await desk.run("people.add", name="ada", password=HASH)

    with pytest.raises(InvalidRequest, match="already"):
        await desk.run("people.add", name="ada", password=OTHER)

    assert desk.password_of("ada") == HASH


@pytest.mark.requirement("people:what-ends-them")
@pytest.mark.parametrize("act", ["people.disable", "people.remove"])
async def test_whoever_is_ended_has_no_tokens_nor_keys_when_the_act_returns(
    desk: Desk, act: str
) -> None:
    _, text = desk.keys.create(Principal("local", "ada", ALICE.tenant), 1)
    await desk.run("people.add", name="ada", password=HASH)
    _, call = await desk.told(act, name="ada")

    keyring = desk.current.keyring
    assert keyring.is_over(frozenset({"subject:local|ada"}), 1)
    assert keyring.in_force(digest_of(text), 2) is None
    assert call.facts == {"for": "local|ada"}


@pytest.mark.requirement("people:what-ends-them")
async def test_who_is_removed_leaves_no_connection_to_whoever_has_the_name_next(
    desk: Desk,
) -> None:
    await desk.run("people.add", name="ada", password=HASH)
    await desk.run("people.disable", name="ada")
    assert desk.disconnected == []

    await desk.run("people.remove", name="ada")

    assert [whose[:3] for whose in desk.disconnected] == [(ALICE.tenant, "local", "ada")]
    assert await desk.run("people.list") == []
    await desk.run("people.add", name="ada", password=OTHER)


@pytest.mark.requirement("people:what-ends-them")
async def test_another_password_takes_the_place_of_the_one_before(desk: Desk) -> None:
    await desk.run("people.add", name="ada", password=HASH)
    await desk.run("people.password", name="ada", password=OTHER)

    assert desk.password_of("ada") == OTHER
    assert not desk.current.keyring.is_over(frozenset({"subject:local|ada"}), 1)


@pytest.mark.requirement("people:by-administrators")
async def test_who_logs_in_at_a_provider_is_disabled_and_enabled_by_their_whole_name(
    desk: Desk,
) -> None:
    desk.at_provider("ada")
    name = "https://login.example|ada"

    await desk.run("people.disable", name=name)
    disabled = desk.rows.named(ALICE.tenant, "ada", "https://login.example")
    await desk.run("people.enable", name=name)
    enabled = desk.rows.named(ALICE.tenant, "ada", "https://login.example")

    assert disabled is not None
    assert enabled is not None
    assert disabled.disabled > 0 == enabled.disabled
    assert desk.current.keyring.is_over(frozenset({f"subject:{name}"}), 1)


@pytest.mark.requirement("people:by-administrators")
@pytest.mark.parametrize("act", ["disable", "enable", "remove", "password"])
async def test_nobody_of_another_tenant_nor_of_a_provider_is_met_by_a_bare_name(
    desk: Desk, act: str
) -> None:
    desk.elsewhere("ada")
    desk.at_provider("ada")
    asked = {"password": OTHER} if act == "password" else {}

    with pytest.raises(InvalidRequest, match="there is no person 'ada'"):
        await desk.run(f"people.{act}", name="ada", **asked)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        HASH.replace("m=65536", "m=8"),
        HASH.replace("m=65536", "m=9999999"),
        HASH.replace("argon2id", "argon2i"),
        HASH + "\n",
        "",
    ],
)
def test_a_password_is_told_as_the_one_hash_that_the_gateway_looks_at(password: str) -> None:
    with pytest.raises(ValidationError):
        AddPerson(name="ada", password=password)


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "é", "x" * 501, "a\n"])
def test_nobody_has_a_name_that_could_not_be_told_from_another(name: str) -> None:
    with pytest.raises(ValidationError):
        Whom(name=name)
    with pytest.raises(ValidationError):
        AddPerson(name=name, password=HASH)


async def test_a_subject_of_a_provider_may_have_the_sign_that_parts_names(desk: Desk) -> None:
    desk.at_provider("auth0|42")

    await desk.run("people.disable", name="https://login.example|auth0|42")

    (found,) = await desk.run("people.list")
    assert found["disabled"]
