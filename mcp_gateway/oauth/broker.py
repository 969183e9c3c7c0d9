"""The broker: which credential for which upstream. The caller's own never passes on."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import (
    NONE,
    NOTHING_SHOWN,
    Credential,
    CredentialRefused,
    GrantKind,
    Rejected,
    Shown,
)
from mcp_gateway.core.errors import ConsentRequired, Refusal, UpstreamFailed
from mcp_gateway.core.grants import Granted, GrantKey, grant_key
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Keyring
from mcp_gateway.oauth.flight import Flights
from mcp_gateway.oauth.ports import Consents, Obtained, Source, Wanted
from mcp_gateway.oauth.terms import ONE_TOKEN, Terms
from mcp_gateway.oauth.upstream import challenge as challenges

OWN: Final = frozenset({"catalog", "subscription"})
"""Kinds of targets that the gateway answers itself, whichever server they are of."""
MOST: Final = 10_000
"""Credentials that are kept."""
OF_GATEWAY: Final = 60.0
"""Seconds for which what the gateway shows for itself is kept: nobody tells when it is refused."""
GATEWAY: Final = Principal("gateway", "gateway", "")
"""Whom the gateway's own looks are for: nobody."""


Sought = Callable[[str, GrantKind, str, float], None]
"""Told which server and kind of grant a credential was sought for, what came of it, and seconds."""


def nobody(server: str, kind: GrantKind, outcome: str, seconds: float) -> None:
    """Where nobody counts."""


@dataclass(slots=True)
class Held:
    """A credential that was obtained, and under which terms.

    `grant` is whose it is, where somebody consented; `shown` grows with each call that has it.
    """

    terms: Terms
    obtained: Obtained
    grant: GrantKey | None = None
    shown: int = 0

    def serves(self, terms: Terms, version: int, now: float) -> bool:
        """Whether it may be shown: not after its time, nor once its consent was taken back."""
        obtained = self.obtained
        return self.terms is terms and now < obtained.until and obtained.version == version


class Kept:
    """What was obtained, from one configuration to the next, and how often it was shown.

    Calls only count where they look anyway: sums are made when somebody asks for them.
    """

    def __init__(self, sought: Sought = nobody) -> None:
        self.sought = sought
        self.flights = Flights[Obtained]()
        self.held: dict[Hashable, Held] = {}
        self._shown: Counter[tuple[str, GrantKind]] = Counter()
        self._used: set[GrantKey] = set()

    def keep(self, key: Hashable, held: Held) -> None:
        """The oldest goes when there are too many."""
        self.drop(key)
        if len(self.held) >= MOST:
            self.drop(next(iter(self.held)))
        self.held[key] = held

    def drop(self, key: Hashable) -> None:
        if held := self.held.pop(key, None):
            self._count(held)

    def use(self, grant: GrantKey) -> None:
        """A call is shown what was just obtained with it."""
        self._used.add(grant)

    def shown(self) -> Mapping[tuple[str, GrantKind], int]:
        """How often each server was shown what was kept."""
        self._count(*self.held.values())
        return self._shown

    def used(self) -> Collection[GrantKey]:
        """The grants that calls were made with since somebody asked last."""
        self._count(*self.held.values())
        used, self._used = self._used, set()
        return used

    def _count(self, *held: Held) -> None:
        for one in held:
            if one.shown:
                self._shown[one.terms.server, one.terms.grant.kind] += one.shown
                one.shown = 0
                if one.grant:
                    self._used.add(one.grant)


class Broker:
    """Implements `ports.Broker`. Where there are no terms for a server it is shown nothing.

    `of_gateway` are the terms for what the gateway itself asks of a server.
    """

    def __init__(  # the ports that it stands on
        self,
        terms: Mapping[str, Terms],
        of_gateway: Mapping[str, Terms],
        sources: Mapping[GrantKind, Source],
        consents: Consents,
        keyring: Callable[[], Keyring],
        kept: Kept,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._terms = terms
        self._of_gateway = of_gateway
        self._sources = sources
        self._consents = consents
        self._keyring = keyring
        self._kept = kept
        self._clock = clock

    async def credential(self, call: Call) -> Credential:
        target = call.target
        terms = self._terms.get(target.server)
        if terms is None or target.kind in OWN:
            return NONE
        scopes = terms.scopes(target)
        key = (target.server, terms.whose(call.principal), scopes)
        held = self._kept.held.get(key)
        version = self._version(terms, call.principal)
        if held is not None and held.serves(terms, version, self._clock()):
            held.shown += 1
            return held.obtained.credential
        credential = await self._obtained(key, terms, self._wanted(terms, call, scopes))
        if terms.consented:
            self._kept.use(grant_key(call.principal, terms.server))
        return credential

    async def renewed(self, call: Call, refused: CredentialRefused) -> Credential:
        """Another one than was refused: of who was faster, or a new one.

        Raises ConsentRequired, UpstreamFailed, UpstreamTimedOut.
        """
        terms = self._terms.get(call.target.server)
        if terms is None:
            raise _refuses(call.target.server)
        scopes = _stepped(terms, call, refused)
        wanted = self._wanted(terms, call, scopes, refused)
        return await self._another(terms, wanted, call.credential)

    async def _another(self, terms: Terms, wanted: Wanted, before: Credential) -> Credential:
        """Than the one before, which is dropped unless somebody has done so."""
        key = (terms.server, terms.whose(wanted.principal), wanted.scopes)
        held = self._kept.held.get(key)
        version = self._version(terms, wanted.principal)
        if held is not None and held.serves(terms, version, self._clock()):
            if held.obtained.credential != before:
                return held.obtained.credential
            self._kept.drop(key)
        others = self._kept.flights.under_way((terms, key))
        fresh = await self._obtained(key, terms, wanted)
        if fresh == before and others:  # of one that began before this was refused
            self._kept.drop(key)
            fresh = await self._obtained(key, terms, wanted)
        if fresh.headers == before.headers:
            raise _refuses(terms.server)
        return fresh

    async def ended(self, call: Call, refused: CredentialRefused) -> Refusal:  # noqa: ARG002
        """What a call ends with whose upstream refused the renewed credential too."""
        terms = self._terms.get(call.target.server)
        if terms is None or not terms.consented:
            return _refuses(call.target.server)
        scopes = terms.grant.scopes | call.credential.scopes
        url = await self._consents.link(call.principal, terms.server, scopes, call.id)
        return ConsentRequired(terms.server, url, "refuses what you connected")

    async def of_person(
        self,
        principal: Principal,
        server: str,
        shown: Shown = NOTHING_SHOWN,
        rejected: Rejected | None = None,
    ) -> Credential:
        """What a person shows the server outside of a call: for the list that is theirs.

        Another one than was rejected, if one was. Raises as `credential`, and as `renewed`.
        """
        terms = self._terms.get(server)
        if terms is None:
            return NONE
        downscoped = terms.grant.kind != "delegated" or terms.grant.downscope
        scopes = terms.grant.scopes if downscoped else ONE_TOKEN
        granted = self._granted(terms, principal)
        about = (server, terms.url, terms.grant, terms.options)
        wanted = Wanted(*about, principal, shown, scopes, granted)
        if rejected is not None:
            wanted = replace(wanted, refused=rejected.how)
            return await self._another(terms, wanted, rejected.credential)
        key = (server, terms.whose(principal), scopes)
        held = self._kept.held.get(key)
        if held and held.serves(terms, self._version(terms, principal), self._clock()):
            return held.obtained.credential
        return await self._obtained(key, terms, wanted)

    async def of_gateway(self, server: str) -> Credential:
        """What the gateway itself shows a server, for its lists and announcements."""
        terms = self._of_gateway.get(server)
        if terms is None:
            return NONE
        key, now = ("of gateway", server), self._clock()
        held = self._kept.held.get(key)
        if held and held.serves(terms, 0, now) and terms.grant.kind != "static":
            return held.obtained.credential
        about = (server, terms.url, terms.grant, terms.options)
        wanted = Wanted(*about, GATEWAY, NOTHING_SHOWN, terms.grant.scopes)
        return await self._obtained(key, terms, wanted, most=now + OF_GATEWAY)

    def _version(self, terms: Terms, principal: Principal) -> int:
        """Which consent counts now; 0 where there is none, or needs to be none."""
        granted = self._granted(terms, principal)
        return granted.version if granted and granted.state == "connected" else 0

    def _granted(self, terms: Terms, principal: Principal) -> Granted | None:
        """None too where nobody has to consent."""
        if not terms.consented:
            return None
        return self._keyring().grants.get(grant_key(principal, terms.server))

    def _wanted(
        self,
        terms: Terms,
        call: Call,
        scopes: frozenset[str],
        refused: CredentialRefused | None = None,
    ) -> Wanted:
        return Wanted(
            terms.server,
            terms.url,
            terms.grant,
            terms.options,
            call.principal,
            call.shown,
            scopes,
            self._granted(terms, call.principal),
            refused,
            call.id,
        )

    async def _obtained(
        self,
        key: Hashable,
        terms: Terms,
        wanted: Wanted,
        *,
        most: float = float("inf"),
    ) -> Credential:
        begin = partial(self._obtain, key, terms, wanted, most)
        obtained = await self._kept.flights.join((terms, key), begin)
        return obtained.credential

    async def _obtain(self, key: Hashable, terms: Terms, wanted: Wanted, most: float) -> Obtained:
        source = self._sources.get(terms.grant.kind)
        if source is None:
            raise UpstreamFailed(f"the gateway cannot obtain a credential for {terms.server}")
        obtained = await self._sought(source, wanted)
        if obtained.until > most:
            obtained = Obtained(obtained.credential, most, obtained.version)
        grant = grant_key(wanted.principal, terms.server) if terms.consented else None
        self._kept.keep(key, Held(terms, obtained, grant))
        return obtained

    async def _sought(self, source: Source, wanted: Wanted) -> Obtained:
        """Counted, whatever comes of it."""
        begun, outcome = time.perf_counter(), "failed"
        try:
            obtained = await source.obtain(wanted)
            outcome = "obtained" if wanted.refused is None else "renewed"
        except ConsentRequired:
            outcome = "consent"
            raise
        finally:
            seconds = time.perf_counter() - begun
            self._kept.sought(wanted.server, wanted.grant.kind, outcome, seconds)
        return obtained


def _stepped(terms: Terms, call: Call, refused: CredentialRefused) -> frozenset[str]:
    """The scopes to ask for, with those that the upstream says the target needs besides.

    Raises UpstreamFailed where it has them already: there is no end to what it would ask.
    """
    scopes = terms.scopes(call.target)
    if refused.status != 403 or terms.consented:  # who consented is asked to allow more
        return scopes
    more = _challenged(refused)
    if terms.grant.kind == "static" or more <= scopes:
        raise UpstreamFailed(f"{terms.server} says that the credential may do too little")
    return terms.step_up(call.target, more)


def _challenged(refused: CredentialRefused) -> frozenset[str]:
    """Nothing where the challenge can be understood in two ways."""
    try:
        return challenges.read(refused.challenge).scopes
    except ValueError:
        return frozenset()


def _refuses(server: str) -> UpstreamFailed:
    return UpstreamFailed(f"{server} refuses the gateway's credential")
