"""Who logs in with a browser."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from starlette.routing import Route

from mcp_gateway.config import Settings
from mcp_gateway.core import ports
from mcp_gateway.core.entry import Entry
from mcp_gateway.core.errors import Refusal
from mcp_gateway.core.principal import Principal
from mcp_gateway.edge.failures import Failures
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.pages.login import LoginPage
from mcp_gateway.edge.pages.provider import ProviderPages
from mcp_gateway.edge.pages.ways import ByKey, ByPassword, Way
from mcp_gateway.oauth.vault import place_of
from mcp_gateway.services.acts.people import PeopleActs
from mcp_gateway.services.browsers import LoggedIn
from mcp_gateway.services.logins import LogIns
from mcp_gateway.services.passwords import Passwords
from mcp_gateway.services.people import KnownPeople
from mcp_gateway.services.relying_party import RelyingParty
from mcp_gateway.store.browsers import Browsers
from mcp_gateway.store.logins import LoginRows
from mcp_gateway.store.people import PersonRows
from mcp_gateway.wiring.ground import Ground, Wired

MINUTE: Final = 60.0


def wire(ground: Ground, wired: Wired) -> None:
    """The log-in page, and who is at which browser. Failures outlive a configuration."""
    rows = PersonRows(ground.database)
    people = wired.people = KnownPeople(rows, ground.current)
    browsers = LoggedIn(Browsers(ground.database), people, ground.current, ground.ledger)
    failures, ways = Failures(), _ways(ground, rows, people)
    provider = _at_provider(ground, wired, people)
    wired.acting["people"] = _acts(ground, wired, rows)

    def installed(settings: Settings) -> None:
        wired.browsers = browsers if ways(settings) or settings.authorization.login else None

    def routes(settings: Settings) -> Sequence[Route]:
        gateway, public, login = settings.gateway, settings.public, settings.authorization.login
        if not (forms := ways(settings)) and not login:
            return []
        at = (public, Origins(public, gateway.listen, gateway.hosts, gateway.origins))
        name = login.name if login else ""
        shown = LoginPage(*at, browsers, failures, forms, name).routes()
        there = ProviderPages(*at, provider, browsers, failures).routes() if login else []
        return [*shown, *there]

    wired.installed.append(installed)
    wired.routes.append(routes)
    wired.jobs["failed log-ins"] = partial(_report, failures, ground.ledger)


async def _report(failures: Failures, ledger: ports.Ledger) -> None:
    """Failed log-ins, in sum, once a minute: strangers cannot make the ledger grow."""
    while True:
        await asyncio.sleep(MINUTE)
        if count := failures.take():
            try:
                await ledger.append(Entry("login.failed", body={"count": count}))
            except Refusal:
                failures.put_back(count)


def _acts(ground: Ground, wired: Wired, rows: PersonRows) -> PeopleActs:
    async def disconnect(tenant: str, issuer: str, subject: str, reason: str) -> None:
        """What they have at upstreams, and what the log-in at their provider brought."""
        await wired.disconnect(tenant, issuer, subject, reason)  # which is there once wired
        if wired.secrets:
            await wired.secrets.drop(place_of(Principal(issuer, subject, tenant), issuer, "login"))

    return PeopleActs(rows, ground.keyring, disconnect)


def _ways(
    ground: Ground, rows: PersonRows, people: KnownPeople
) -> Callable[[Settings], Sequence[Way]]:
    """The forms that a configuration allows. How often somebody failed outlives it."""
    passwords = Passwords(rows, people, lambda: ground.settings().gateway.tenant)

    def ways(settings: Settings) -> Sequence[Way]:
        section = settings.authorization
        own: Sequence[Way] = [ByPassword(passwords)] if section.passwords else []
        return [*own, ByKey(people)] if section.keys else own

    return ways


def _at_provider(ground: Ground, wired: Wired, people: KnownPeople) -> LogIns:
    if wired.secrets is None or wired.discovery is None:
        raise RuntimeError("the vault and discovery are wired first")
    return LogIns(
        LoginRows(ground.database),
        people,
        wired.secrets,
        RelyingParty(wired.discovery, ground.http, ground.home.state_secret()),
        ground.settings,
    )
