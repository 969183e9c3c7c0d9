"""The credentials that upstreams are shown."""

from collections.abc import Mapping
from typing import TypeVar

from mcp_gateway.config import GrantSection, Server, Settings
from mcp_gateway.core.credential import Credential, GrantKind, Rejected, Shown
from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.broker import Broker, Kept
from mcp_gateway.oauth.ports import GrantOptions, Source, no_secret
from mcp_gateway.oauth.sources.asking import Asking
from mcp_gateway.oauth.sources.delegated import Delegated
from mcp_gateway.oauth.sources.id_jag import IdJag
from mcp_gateway.oauth.sources.login import LogInTokens
from mcp_gateway.oauth.sources.provider import Providers
from mcp_gateway.oauth.sources.rfc8693 import TokenExchange
from mcp_gateway.oauth.sources.service import Service
from mcp_gateway.oauth.sources.static import Static
from mcp_gateway.oauth.sources.subject import Subjects
from mcp_gateway.oauth.terms import Terms
from mcp_gateway.oauth.upstream.rfc6749 import TokenEndpoint
from mcp_gateway.services.grant_options import grant_options
from mcp_gateway.services.servers import Shows
from mcp_gateway.wiring.ground import Ground, Wired


def wire(ground: Ground, wired: Wired) -> None:
    shown = _Shown(ground, wired)
    wired.broker = shown.broker
    wired.shows = shown.shows
    wired.of_person = shown.of_person
    wired.used = shown.kept.used
    wired.closing.append(shown.kept.flights.aclose)
    ground.metrics.credentials.kept = shown.kept.shown


def sources(ground: Ground, wired: Wired) -> Mapping[GrantKind, Source]:
    """Who obtains the credentials of each kind of grant, once everything is wired."""
    secrets, consents = _there(wired.secrets), _there(wired.consents)
    discovery, endpoint = _there(wired.discovery), TokenEndpoint(ground.http)
    leases, registrations = _there(wired.leases), _there(wired.registrations)
    asking = Asking(discovery, endpoint)
    log_ins = LogInTokens(
        secrets, leases, discovery, endpoint, lambda: logging_in(ground.settings())
    )
    subjects = Subjects(lambda: ground.settings().identity.issuer, log_ins.access)
    providers = Providers(discovery, lambda issuer: vouching(ground.settings(), issuer))
    return {
        "static": Static(secrets, consents),
        "delegated": Delegated(secrets, leases, consents, registrations, discovery, endpoint),
        "service": Service(asking),
        "token_exchange": TokenExchange(asking, subjects),
        "id_jag": IdJag(asking, subjects, providers.of),
    }


def logging_in(settings: Settings) -> tuple[str, GrantOptions]:
    """The provider that people log in at, and the gateway's client there; empty without one."""
    login = settings.authorization.login
    if login is None:
        return "", GrantOptions()
    secret = login.secret.read if login.secret else no_secret
    return login.issuer, GrantOptions(
        client=login.client, client_secret=secret, issuer=login.issuer
    )


def providing(settings: Settings) -> tuple[str, GrantOptions]:
    """The identity provider that vouches for people, and the gateway's client there."""
    identity = settings.identity
    secret = identity.client_secret.read if identity.client_secret else no_secret
    return identity.issuer, GrantOptions(client=identity.client, client_secret=secret)


def vouching(settings: Settings, issuer: str) -> tuple[str, GrantOptions]:
    """The one that vouches for those whom an issuer knows: no other is shown their token."""
    at_log_in = logging_in(settings)
    if issuer == at_log_in[0] and issuer != settings.identity.issuer:
        return at_log_in
    return providing(settings)


class _Shown:
    """What was obtained outlives a configuration, where the next one says the same of a server."""

    def __init__(self, ground: Ground, wired: Wired) -> None:
        self._ground = ground
        self._wired = wired
        self._sources: Mapping[GrantKind, Source] | None = None
        self._known: dict[str, tuple[Server, Terms]] = {}
        self._broker: Broker | None = None
        self.kept = Kept(ground.metrics.credentials.sought)

    def broker(self, settings: Settings) -> Broker:
        """Of a configuration that is put in force, once everything is wired."""
        if self._sources is None:
            self._sources = sources(self._ground, self._wired)
        known = {n: (s, self._terms(n, s)) for n, s in settings.servers.items()}
        self._known = {n: found for n, found in known.items() if found[1].grant.kind != "none"}
        terms = {name: found for name, (_, found) in self._known.items()}
        of_gateway = {n: t for n, s in settings.servers.items() if (t := self._of_gateway(n, s))}
        self._broker = Broker(
            terms,
            of_gateway,
            self._sources,
            _there(self._wired.consents),
            lambda: self._ground.current.keyring,
            self.kept,
        )
        return self._broker

    def shows(self, name: str, config: Server) -> Shows:  # noqa: ARG002  # the broker knows it
        async def of_gateway() -> Credential:
            return await _there(self._broker).of_gateway(name)

        return of_gateway

    async def of_person(
        self, principal: Principal, server: str, shown: Shown, rejected: Rejected | None = None
    ) -> Credential:
        return await _there(self._broker).of_person(principal, server, shown, rejected)

    def _terms(self, name: str, config: Server) -> Terms:
        """As before where nothing changed; behind its name a configured secret may have."""
        before = self._known.get(name)
        if before and before[0] == config and config.grant.kind != "static":
            return before[1]
        return _terms(name, config, config.grant)

    def _of_gateway(self, name: str, config: Server) -> Terms | None:
        """None where it is shown nothing: what is a person's is no other's to show."""
        if not config.grant.personal:
            found = self._known.get(name)
            return found[1] if found else None
        section = config.discovery_grant
        if section is None or section.kind == "none":
            return None
        return _terms(name, config, section)


def _terms(name: str, config: Server, section: GrantSection) -> Terms:
    return Terms(name, str(config.own().get("url", "")), section.terms(), grant_options(section))


_Part = TypeVar("_Part")


def _there(part: _Part | None) -> _Part:
    if part is None:
        raise RuntimeError("not everything is wired yet")
    return part
