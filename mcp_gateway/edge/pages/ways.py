"""Ways to log in that are a form on the page: what each one is shown, and whom it finds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from mcp_gateway.oauth.ports import LogInRefused, People, Person
from mcp_gateway.store.keys import digest_of
from mcp_gateway.wire.address import party

KEY: Final = "key"
PASSWORD: Final = "password"  # noqa: S105  # the name of a field


class Way(Protocol):
    """The page has its form where it is offered, and knows it by the name of one field."""

    @property
    def field(self) -> str: ...

    async def offered(self) -> bool:
        """Whether anybody could log in so at this moment."""
        ...

    async def person(self, form: Mapping[str, str], peer: str) -> Person:
        """Raises LogInRefused."""
        ...


@dataclass(frozen=True, slots=True)
class ByKey:
    """An API key is a log-in too: who has one is known to the gateway as the same person."""

    people: People
    field: str = KEY

    async def offered(self) -> bool:
        return True

    async def person(self, form: Mapping[str, str], peer: str) -> Person:  # noqa: ARG002
        """Keys cannot be guessed, so that nobody has to wait for their own."""
        digest = digest_of(form.get(KEY, "").strip())
        person = await self.people.person(f"key:{digest.hex()}")
        if person is None:
            raise LogInRefused("This key is unknown, expired or revoked.")
        return person


class Known(Protocol):
    """People by name and password."""

    async def offered(self) -> bool: ...

    async def person(self, name: str, password: str, party: str) -> Person: ...


@dataclass(frozen=True, slots=True)
class ByPassword:
    """People of the gateway's own."""

    known: Known
    field: str = PASSWORD

    async def offered(self) -> bool:
        return await self.known.offered()

    async def person(self, form: Mapping[str, str], peer: str) -> Person:
        name = form.get("name", "").strip()
        return await self.known.person(name, form.get(PASSWORD, ""), party(peer))
