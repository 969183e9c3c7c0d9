"""Passwords: argon2id hashes, made and looked at in threads, and what guessing costs."""

import asyncio
import secrets
import time
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from mcp_gateway.oauth.ports import LogInRefused, People, Person
from mcp_gateway.services.guesses import Guesses
from mcp_gateway.store.people import PersonRows

HASHER: Final = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)
HASHED: Final = r"^\$argon2id\$v=19\$m=65536,t=3,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$"
"""What `hashed` makes."""
SHORTEST: Final = 12
LONGEST: Final = 200
AT_ONCE: Final = 2
"""Passwords that are looked at together: each takes 64 MiB."""
WAITING: Final = 32
"""Attempts that wait for that; whoever comes then is told to come again."""
WRONG: Final = "The name or the password is wrong, or you may not log in here."


def hashed(password: str) -> str:
    """For the store. Blocks. Raises ValueError for what is too short or too long to be one."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise ValueError(f"a password has {SHORTEST} to {LONGEST} characters")
    return HASHER.hash(_plain(password))


class Passwords:
    """People of the gateway's own, by name and password.

    Who does not exist, has no password or is disabled costs the same and is told the same. An
    address has five attempts at a name, and all together have fifty; then each one waits.
    """

    def __init__(
        self,
        rows: PersonRows,
        people: People,
        tenant: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rows = rows
        self._people = people
        self._tenant = tenant
        self._at_name = Guesses(50, 60, clock)
        self._at_name_from = Guesses(5, 300, clock)
        self._nobodys = _nobodys()
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def offered(self) -> bool:
        """Whether the store has anybody who could log in so."""
        return await asyncio.to_thread(self._rows.have_passwords, self._tenant())

    async def person(self, name: str, password: str, party: str) -> Person:
        """Raises LogInRefused. `party` is whose address it came from."""
        name = name[:LONGEST]
        tried = ((self._at_name, name), (self._at_name_from, f"{party} {name}"))
        if wait := max(guesses.wait(who) for guesses, who in tried):
            raise LogInRefused(f"Too many attempts failed. Wait {wait} s.", wait)
        if self._waiting >= WAITING:
            raise LogInRefused("Many log in at this moment. Try again in a second.", 1)
        for guesses, who in tried:
            guesses.begin(who)
        self._waiting += 1
        try:
            person = await self._whose(name, password[:LONGEST])
        finally:
            self._waiting -= 1
        for guesses, who in tried:
            guesses.forget(who)
        return person

    async def _whose(self, name: str, password: str) -> Person:
        row = await asyncio.to_thread(self._rows.named, self._tenant(), name)
        known = row.password if row and row.password else self._nobodys
        async with self._turn:
            renewed = await asyncio.to_thread(_checked, known, password)
        if row is None or renewed is None:
            raise LogInRefused(WRONG)
        if renewed:
            await asyncio.to_thread(self._rows.rehashed, row.id, known, renewed)
        person = await self._people.person(f"person:{row.id}")
        if person is None:
            raise LogInRefused(WRONG)
        return person


def _checked(known: str, password: str) -> str | None:
    """None for a wrong one; else the hash that should take the place of what is known, or "".

    It blocks.
    """
    plain = _plain(password)
    try:
        HASHER.verify(known, plain)
    except VerifyMismatchError:
        return None
    return HASHER.hash(plain) if HASHER.check_needs_rehash(known) else ""


def _plain(password: str) -> str:
    """One spelling, however a keyboard composed it."""
    return unicodedata.normalize("NFKC", password)


def _nobodys() -> str:
    """What no password has made: looking at it costs what looking at a real one does."""
    salt, made = (b64encode(secrets.token_bytes(n)).decode().rstrip("=") for n in (16, 32))
    return f"$argon2id$v=19$m=65536,t=3,p=1${salt}${made}"
