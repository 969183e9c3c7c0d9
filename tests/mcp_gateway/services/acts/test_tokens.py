"""An administrator takes back what was issued: by one name at a time, in force at once."""

import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import InvalidRequest
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Current
from mcp_gateway.core.target import Target
from mcp_gateway.services.acts.tokens import ACTS, Revoke, TokenActs
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import Keys, digest_of
from mcp_gateway.store.revocations import Revocations
from mcp_gateway.store.rows import FamilyRow
from tests.support import calls
from tests.support.calls import ALICE
from tests.support.tokens import ISSUER, claims, signed, verifying


class Desk:
    """The acts on a store of their own."""

    def __init__(self, folder: Path) -> None:
        self.database = Database.open(folder / "gateway.db")
        self.counted: list[str] = []
        self.keys, self.current = Keys(self.database), Current()
        keyring = KeyringService(self.current, self.database, self.keys)
        self.acts = TokenActs(
            Revocations(self.database), self.keys, keyring, lambda: 3600, self.counted.append
        )

    def family(self, id_: str) -> None:
        """A family of tokens that goes on for long."""
        with self.database.quietly() as session:
            session.add(
                FamilyRow(
                    id=id_,
                    person="key:00",
                    client="runtime",
                    resource="https://gateway.example.com/mcp",
                    scopes="mcp",
                    created=1,
                    ends=2**40,
                )
            )

    async def run(self, act: str, **asked: Any) -> Any:
        return (await self.told(act, **asked))[0]

    async def told(self, act: str, **asked: Any) -> tuple[Any, Call]:
        call = calls.resolved(Target("operation", "gateway", act))
        operation = ACTS[act]
        parameters = operation.parameters.model_validate(asked)
        return await operation.run(self.acts, call, parameters), call

    def is_over(self, *names: str, issued: float = 0) -> bool:
        return self.current.keyring.is_over(frozenset(names), int(issued))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.requirement("revocation:by-every-name")
@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ({"subject": "ada"}, "subject:local|ada"),
        ({"subject": f"{ISSUER}|ada"}, f"subject:{ISSUER}|ada"),
        ({"client": "https://claude.ai/oauth/x"}, "client:https://claude.ai/oauth/x"),
        ({"family": "f-1"}, "family:f-1"),
        ({"token": f"{ISSUER}|t-1"}, f"token:{ISSUER}|t-1"),
    ],
)
async def test_what_goes_by_a_name_is_over_when_the_act_returns(
    desk: Desk, asked: dict[str, str], name: str
) -> None:
    desk.family("f-1")
    said, call = await desk.told("tokens.revoke", **asked, reason="left")

    assert said["revoked"] == name
    assert desk.is_over(name, issued=time.time() - 1)
    assert not desk.is_over(name + "x")
    assert (call.facts["revoked"], call.facts["why"]) == (name, "left")


@pytest.mark.requirement("revocation:by-every-name")
@pytest.mark.parametrize("changes", [{}, {"jti": None}])
async def test_a_token_is_revoked_by_showing_it_and_is_told_nowhere(
    desk: Desk, changes: dict[str, Any]
) -> None:
    token = signed(claims(**changes))
    accepted = verifying().accept(token, "https://gateway.example.com/mcp")

    said, call = await desk.told("tokens.revoke", token=token.decode())

    assert desk.current.keyring.is_over(accepted.names, accepted.issued)
    assert token.decode() not in repr(said) + repr(call.facts)


@pytest.mark.requirement("revocation:up-to-a-moment")
async def test_what_is_issued_later_is_good_unless_it_is_revoked_for_good(desk: Desk) -> None:
    await desk.run("tokens.revoke", subject="ada")
    await desk.run("tokens.revoke", client="old", for_good=True)

    later = time.time() + 2
    assert not desk.is_over("subject:local|ada", issued=later)
    assert desk.is_over("client:old", issued=later)


@pytest.mark.requirement("attack:d27")
async def test_a_family_is_over_for_good_and_a_token_that_is_just_being_made_too(
    desk: Desk,
) -> None:
    desk.family("f-1")
    await desk.run("tokens.revoke", family="f-1", reason="left")

    with desk.database.reading() as session:
        row = session.get(FamilyRow, "f-1")
    assert row is not None
    assert row.revoked > 0
    assert desk.is_over("family:f-1", issued=time.time() + 5)
    with pytest.raises(InvalidRequest, match="there is no family"):
        await desk.run("tokens.revoke", family="f-1")
    with pytest.raises(InvalidRequest, match="there is no family"):
        await desk.run("tokens.revoke", family="f-2")
    with pytest.raises(InvalidRequest, match="does not come back"):
        await desk.run("tokens.restore", name="family:f-1")
    assert desk.is_over("family:f-1")


@pytest.mark.requirement("revocation:by-every-name")
async def test_a_token_of_the_gateways_own_is_kept_in_mind_until_it_has_expired(
    desk: Desk,
) -> None:
    await desk.run("tokens.revoke", token="https://gateway.example.com|t-1")

    (listed,) = await desk.run("tokens.revoked")

    assert listed["ends"] >= time.time() + 86_400


@pytest.mark.requirement("revocation:by-every-name")
async def test_the_keys_of_a_subject_end_with_its_tokens(desk: Desk) -> None:
    now = int(time.time())
    _, text = desk.keys.create(Principal("local", "ada", ALICE.tenant), now)
    await desk.run("tokens.revoke", subject="ada")

    key = desk.current.keyring.keys[digest_of(text)]

    assert desk.is_over("subject:local|ada", issued=key.created)


async def test_a_key_is_revoked_by_its_id_and_only_one_of_the_own_tenant(desk: Desk) -> None:
    own, _ = desk.keys.create(Principal("local", "ada", ALICE.tenant), 1)
    other, _ = desk.keys.create(Principal("local", "ada", "other"), 1)

    await desk.run("tokens.revoke", key=own)
    with pytest.raises(InvalidRequest, match="there is no key"):
        await desk.run("tokens.revoke", key=other)

    assert [key.id for key in desk.current.keyring.keys.values()] == [other]


async def test_what_is_revoked_is_listed_and_can_be_restored(desk: Desk) -> None:
    await desk.run("tokens.revoke", subject="ada", reason="left")
    await desk.run("tokens.revoke", token=f"{ISSUER}|t-1")

    listed = await desk.run("tokens.revoked")
    await desk.run("tokens.restore", name="subject:local|ada")
    with pytest.raises(InvalidRequest, match="is revoked"):
        await desk.run("tokens.restore", name="subject:local|ada")

    assert [(one["name"], one["reason"]) for one in listed] == [
        ("subject:local|ada", "left"),
        (f"token:{ISSUER}|t-1", ""),
    ]
    assert listed[0]["before"] > 0
    assert listed[1]["ends"] > time.time() + 3600
    assert not desk.is_over("subject:local|ada")


@pytest.mark.parametrize("token", ["", "not a token", "a.b.c", "é.é.é", "x" * 20_000])
async def test_what_is_no_token_is_refused_and_not_repeated(desk: Desk, token: str) -> None:
    with pytest.raises((InvalidRequest, ValidationError)) as error:
        await desk.run("tokens.revoke", token=token)

    assert isinstance(error.value, ValidationError) or not token or token not in str(error.value)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"subject": "ada", "client": "x"},
        {"token": "a|b", "for_good": True},
        {"family": "f", "for_good": True},
        {"subject": "a b"},
        {"client": "a\nb"},
        {"subject": "ada", "unknown": 1},
    ],
)
def test_one_thing_is_revoked_at_a_time_and_nothing_by_a_name_that_none_can_have(
    asked: dict[str, Any],
) -> None:
    with pytest.raises(ValidationError):
        Revoke.model_validate(asked)


@pytest.mark.requirement("operations:credentials-are-measured")
async def test_what_is_revoked_is_counted_by_kind(desk: Desk) -> None:
    await desk.run("tokens.revoke", subject="local|alice")
    with pytest.raises(InvalidRequest):
        await desk.run("tokens.revoke", key="unknown")
    await desk.run("tokens.revoke", client="runtime")

    assert desk.counted == ["subject", "client"]
