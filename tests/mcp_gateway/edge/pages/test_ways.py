"""Each way to log in asks for its own, and finds whom it knows."""

from dataclasses import dataclass

import pytest

from mcp_gateway.core.principal import Principal
from mcp_gateway.edge.pages.ways import ByKey, ByPassword
from mcp_gateway.oauth.ports import LogInRefused, Person
from mcp_gateway.store.keys import digest_of

ADA = Person("key:1", Principal("local", "ada", "acme"), name="ada")


@dataclass
class OneKey:
    """People of whom there is one, by one key."""

    text: str

    async def person(self, by: str) -> Person | None:
        return ADA if by == f"key:{digest_of(self.text).hex()}" else None


@dataclass
class OnePassword:
    """Somebody who is known by what is shown, and from where."""

    shown: tuple[str, str, str]
    any: bool = True

    async def offered(self) -> bool:
        return self.any

    async def person(self, name: str, password: str, party: str) -> Person:
        if (name, password, party) != self.shown:
            raise LogInRefused("no")
        return ADA


@pytest.mark.requirement("login:with-a-key")
async def test_a_key_is_taken_as_it_was_pasted_and_nothing_else_is_repeated() -> None:
    way = ByKey(OneKey("mcpgw_1_the-key"))

    assert await way.offered()
    assert await way.person({"key": " mcpgw_1_the-key\n"}, "192.0.2.1") is ADA
    with pytest.raises(LogInRefused) as refused:
        await way.person({"key": "mcpgw_1_another"}, "192.0.2.1")
    assert "another" not in str(refused.value)
    with pytest.raises(LogInRefused):
        await way.person({}, "192.0.2.1")


@pytest.mark.requirement("login:with-a-password")
async def test_a_password_is_taken_as_it_was_typed_from_whose_address_it_came() -> None:
    way = ByPassword(OnePassword(("ada", " a pass phrase ", "2001:db8::/64")))
    shown = {"name": " ada ", "password": " a pass phrase "}

    assert await way.offered()
    assert await way.person(shown, "2001:db8::7") is ADA
    for wrong in ({**shown, "password": "a pass phrase"}, {"name": "ada"}, {}):
        with pytest.raises(LogInRefused):
            await way.person(wrong, "2001:db8::7")
    assert not await ByPassword(OnePassword(("", "", ""), any=False)).offered()
