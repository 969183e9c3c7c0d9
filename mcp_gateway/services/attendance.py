"""Attendance: hears what upstreams say by themselves, with one task each that says anything."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from mcp_gateway.core.change import Change, Interest
from mcp_gateway.core.credential import CredentialRefused
from mcp_gateway.core.errors import Refusal
from mcp_gateway.services.bulletin import Bulletin
from mcp_gateway.services.servers import Running

log = logging.getLogger(__name__)
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
STEADY: Final = 30.0
"""Seconds of listening after which its end is not held against an upstream."""
DEAF: Final = 300.0
"""Seconds until an upstream that never says anything is asked whether it does by now."""
LATEST: Final = 0.25
"""Seconds after which an announcement is passed on, though the look at it is not over."""
SETTLING: Final = 2.0
"""Seconds that a listener waits for its upstream to listen for more."""


class Attendance:
    """An announcement is looked at, and passed on once that look is over, changed or not."""

    def __init__(self, bulletin: Bulletin) -> None:
        self.bulletin = bulletin
        self._interests: dict[str, Interest] = {}
        self._wanted: dict[str, Counter[str]] = {}
        self._tasks: dict[str, Counter[str]] = {}
        self._followed: set[str] = set()
        self._deaf: set[str] = set()
        self._attended: set[str] = set()

    def hears(self, server: str) -> bool:
        """Whether the server says by itself that something changed, as far as anybody knows."""
        return server in self._followed and server not in self._deaf

    def follows(self, server: str, task: str) -> bool:
        """Whether the server has said that it tells of this task, and is listened to."""
        return server in self._attended and task in self._interest(server).honoured

    def ask(
        self, server: str, uris: Iterable[str] = (), *, tasks: Iterable[str] = ()
    ) -> Callable[[], None]:
        """Listens for these URIs and tasks too, until what this returns is called, once."""
        asked = ((self._wanted, tuple(uris)), (self._tasks, tuple(tasks)))
        for wanted, names in asked:
            wanted.setdefault(server, Counter()).update(names)
        self._alter(server)

        def withdraw() -> None:
            for wanted, names in asked:
                left = wanted[server]
                left.subtract(names)
                wanted[server] = +left
            self._alter(server)

        return withdraw

    async def settled(self, server: str) -> None:
        """Returns once the server listens for all that was asked, is deaf, or after a while."""
        interest = self._interest(server)
        if server not in self._attended:  # it is away, or not asked yet
            return
        try:
            async with asyncio.timeout(SETTLING):
                await interest.settled.wait()
        except TimeoutError:
            log.info("the server %s does not say that it listens", server)

    async def follow(self, running: Running) -> None:
        """Listens until cancelled, with growing pauses after failures."""
        self._followed.add(running.name)
        try:
            await self._followed_on(running)
        finally:
            self._followed.discard(running.name)

    async def _followed_on(self, running: Running) -> None:
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while True:
            await running.answering.wait()
            begun = loop.time()
            await self._attend(running)
            if running.name in self._deaf:
                await asyncio.sleep(DEAF)
                continue
            # Something may have been missed since, or the upstream may be away.
            running.wanted.set()
            pause = FIRST_PAUSE if loop.time() - begun >= STEADY else pause
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def looked(self, running: Running) -> None:
        """A look at the server is over: what it had announced is passed on."""
        while running.announced:
            of = running.announced.popitem()[0]
            self.bulletin.publish(Change(of, running.name))

    async def _attend(self, running: Running) -> None:
        """Listens, and returns when that has ended, whatever the reason."""
        name, interest = running.name, self._interest(running.name)
        if running.grant.connected or running.config.discovery != "service":
            # What it says to one person is nobody else's to hear, and nobody may be asked.
            self._deaf.add(name)
            return
        self._attended.add(name)
        try:
            announced = partial(self._announced, running)
            await running.connector.attend(await running.credential(), interest, announced)
        except NotImplementedError:
            self._deaf.add(name)
        except (Refusal, CredentialRefused, OSError, ValueError) as failure:
            log.info("the server %s is no longer listened to: %s", name, type(failure).__name__)
        except Exception:  # a supervisor: whatever it is, it costs announcements only
            log.exception("the server %s could not be listened to", name)
        finally:
            self._attended.discard(name)
            interest.settled.set()  # who waits for it need not: it is heard later, or never
            interest.settled = asyncio.Event()

    def _announced(self, running: Running, change: Change) -> None:
        if change.of == "resource" or change.of == "task":  # noqa: PLR1714  # as types are told apart
            self.bulletin.publish(change)
            return
        if not running.announced:
            asyncio.get_running_loop().call_later(LATEST, self.looked, running)
        running.announced[change.of] = None
        running.wanted.set()

    def _interest(self, server: str) -> Interest:
        return self._interests.setdefault(server, Interest())

    def _alter(self, server: str) -> None:
        interest = self._interest(server)
        uris, tasks = frozenset(self._wanted[server]), frozenset(self._tasks[server])
        if (uris, tasks) != (interest.uris, interest.tasks):
            interest.uris, interest.tasks = uris, tasks
            interest.settled.clear()
            interest.altered.set()
