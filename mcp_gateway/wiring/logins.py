"""Who logs in with a browser."""

import asyncio
from collections.abc import Sequence
from typing import Final

from starlette.routing import Route

from mcp_gateway.config import Settings
from mcp_gateway.core.entry import Entry
from mcp_gateway.edge.failures import Failures
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.pages.login import LoginPage
from mcp_gateway.services.browsers import LoggedIn
from mcp_gateway.services.people import KnownPeople
from mcp_gateway.store.browsers import Browsers
from mcp_gateway.store.people import PersonRows
from mcp_gateway.wiring.ground import Ground, Wired

MINUTE: Final = 60.0


def wire(ground: Ground, wired: Wired) -> None:
    """The log-in page, and who is at which browser. Failures outlive a configuration."""
    people = wired.people = KnownPeople(PersonRows(ground.database), ground.current)
    browsers = LoggedIn(Browsers(ground.database), people, ground.current, ground.ledger)
    failures = Failures()

    def installed(settings: Settings) -> None:
        wired.browsers = browsers if settings.authorization.keys else None

    async def report() -> None:
        """Failed log-ins, in sum, once a minute: strangers cannot make the ledger grow."""
        while True:
            await asyncio.sleep(MINUTE)
            if count := failures.take():
                await ground.ledger.append(Entry("login.failed", body={"count": count}))

    def routes(settings: Settings) -> Sequence[Route]:
        if not settings.authorization.keys:
            return []
        gateway, public = settings.gateway, settings.public
        origins = Origins(public, gateway.listen, gateway.hosts, gateway.origins)
        return LoginPage(public, origins, people, browsers, failures).routes()

    wired.installed.append(installed)
    wired.routes.append(routes)
    wired.jobs["failed log-ins"] = report
