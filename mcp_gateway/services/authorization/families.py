"""Families: codes redeemed once, refresh tokens renewed in turn, and all of one ended together."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mcp_gateway.config import Settings
from mcp_gateway.core import ports
from mcp_gateway.core.entry import Entry
from mcp_gateway.core.errors import Refusal
from mcp_gateway.oauth.rfc9068 import LEEWAY
from mcp_gateway.oauth.server import rfc7636, rfc9068
from mcp_gateway.oauth.server.rfc6749 import OAuthError, Parameters, invalid_grant, scopes_of
from mcp_gateway.oauth.server.rfc8414 import REFRESH
from mcp_gateway.services.authorization.client import Client, digest_of
from mcp_gateway.services.authorization.offer import OFFLINE
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.store.authorization import Authorizations
from mcp_gateway.store.families import Families as Kept
from mcp_gateway.store.revocations import Revocations
from mcp_gateway.store.rows import CodeRow, FamilyRow, RefreshRow

MINUTE: Final = 60.0
HOUR: Final = 3600.0
REMEMBERED: Final = 86_400
"""Seconds for which what is over is kept: a code that comes again is noticed."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a client holds now. `refresh` is empty where it gets nothing to renew with."""

    family: FamilyRow
    refresh: str


class Families:
    """Over the rows, telling the keyring and the ledger of what ended.

    What another process revoked is in force before anything is held: a token that is minted from
    it would bear a later time than the revocation.
    """

    def __init__(
        self,
        kept: Kept,
        authorizations: Authorizations,
        revocations: Revocations,
        keyring: KeyringService,
        ledger: ports.Ledger,
        settings: Callable[[], Settings],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._kept = kept
        self._authorizations = authorizations
        self._revocations = revocations
        self._keyring = keyring
        self._ledger = ledger
        self._settings = settings
        self._clock = clock
        self._refreshed: dict[str, int] = {}

    async def redeemed(self, form: Parameters, client: Client) -> Held:
        """What a code is worth. One that is shown twice was stolen: its family ends.

        Raises OAuthError.
        """
        digest = _digest(form.need("code"))
        found = await asyncio.to_thread(self._authorizations.redeem, digest)
        if found is None:
            raise invalid_grant("the code is unknown or over")
        code, first = found
        if not first:
            await self.end(code.family, "its code came twice")
            raise invalid_grant("the code was used: log in again")
        self._check(code, form, client)
        held = await self._begun(code, client)
        await self._keyring.look()
        return held

    def _check(self, code: CodeRow, form: Parameters, client: Client) -> None:
        if code.client != client.id or code.ends <= self._clock():
            raise invalid_grant("the code is another client's, or over")
        if form.get("redirect_uri") not in ("", code.redirect):
            raise invalid_grant("redirect_uri is not where the code was sent")
        rfc7636.check_verifier(form.need("code_verifier"), code.challenge)
        if set(form.resources) - {code.resource}:
            raise OAuthError("invalid_target", "the code is for another resource")

    async def _begun(self, code: CodeRow, client: Client) -> Held:
        section, now = self._settings().authorization, int(self._clock())
        family = FamilyRow(
            id=code.family,
            person=code.person,
            client=client.id,
            resource=code.resource,
            scopes=code.scopes,
            created=now,
            ends=now + int(section.refresh_family),
        )
        text, row = "", None
        if REFRESH in client.grants or OFFLINE in code.scopes.split():
            text = secrets.token_urlsafe(32)
            ends = min(now + int(section.refresh_token), family.ends)
            row = RefreshRow(digest=_digest(text), family=family.id, created=now, ends=ends)
        if not await asyncio.to_thread(self._kept.begin, code.digest, family, row):
            raise invalid_grant("the code was used: log in again")
        return Held(family, text)

    async def turned(self, form: Parameters, client: Client) -> Held:
        """A refresh token for the next one. Raises OAuthError.

        Clients refresh in parallel, so that it may come again for some seconds. Later two have
        it, and the family ends. What is asked wrongly leaves it as it was.
        """
        refresh = form.need("refresh_token")
        known = await self.of_refresh(refresh)
        if known is None or known.client != client.id:
            raise invalid_grant("the refresh token is unknown, or another client's")
        _check_less(form, known)
        section, text = self._settings().authorization, secrets.token_urlsafe(32)
        turned = await asyncio.to_thread(
            self._kept.turn,
            _digest(refresh),
            client.id,
            _digest(text),
            int(section.refresh_token),
            section.refresh_grace,
        )
        if turned.turn == "reused":
            body = {"family": known.id, "client": client.id}
            await self._ledger.append(Entry("token.reused", body=body))
            await self.end(known.id, "a refresh token came again")
        if turned.turn != "turned" or turned.family is None:
            raise invalid_grant("the refresh token is used or over: log in again")
        await self._keyring.look()
        self._refreshed[turned.family.id] = self._refreshed.get(turned.family.id, 0) + 1
        return Held(turned.family, text)

    async def standing(self, id_: str) -> FamilyRow | None:
        """A family that is not over."""
        family = await asyncio.to_thread(self._kept.find, id_)
        return None if family is None or family.revoked else family

    async def of_refresh(self, token: str) -> FamilyRow | None:
        """The family of a refresh token, whatever became of both."""
        found = await asyncio.to_thread(self._kept.of_refresh, _digest(token))
        return found[0] if found else None

    async def end(self, id_: str, reason: str) -> None:
        """Ends everything that came of one authorization, in every process.

        Raises Overloaded when it cannot be recorded: then it goes on, and can be ended again.
        """
        if await self.standing(id_) is None:
            return
        await self._ledger.append(Entry("family.revoked", body={"family": id_, "reason": reason}))
        now = int(self._clock())
        ends = now + rfc9068.LONGEST + 2 * LEEWAY
        await asyncio.to_thread(self._revocations.end_family, id_, now, ends, reason)
        await self._keyring.refresh()

    async def end_token(self, claims: Mapping[str, Any], reason: str) -> None:
        """Ends one token that is of no family. Raises Overloaded."""
        name = f"token:{claims['iss']}|{claims['jti']}"
        body = {"name": name, "by": f"client:{claims['client_id']}", "reason": reason}
        await self._ledger.append(Entry("revoked", body=body))
        ends = claims["exp"] + 2 * LEEWAY
        await asyncio.to_thread(self._revocations.end_token, name, ends, reason)
        await self._keyring.refresh()

    async def forget(self) -> None:
        """Until cancelled: has what is over forgotten, once an hour and not when all begins."""
        while True:
            await asyncio.sleep(HOUR)
            await self.collect()

    async def collect(self) -> None:
        """Forgets requests, codes and families that are over."""
        await asyncio.to_thread(self._authorizations.forget, REMEMBERED)
        await asyncio.to_thread(self._kept.forget, REMEMBERED)

    async def follow(self) -> None:
        """Until cancelled: what was refreshed, once a minute, in sum for each family."""
        while True:
            await asyncio.sleep(MINUTE)
            await self.record()

    async def record(self) -> None:
        counted, self._refreshed = self._refreshed, {}
        while counted:
            family, count = counted.popitem()
            try:
                await self._ledger.append(
                    Entry("token.refreshed", body={"family": family, "count": count})
                )
            except Refusal:  # the next minute's entry has them
                for name, more in {family: count, **counted}.items():
                    self._refreshed[name] = self._refreshed.get(name, 0) + more
                return


def _check_less(form: Parameters, family: FamilyRow) -> None:
    """Fewer scopes may be asked for, for one token; never more, nor another resource.

    Raises OAuthError.
    """
    if scopes_of(form.get("scope")) - frozenset(family.scopes.split()):
        raise OAuthError("invalid_scope", "more than was granted: log in again for it")
    if set(form.resources) - {family.resource}:
        raise OAuthError("invalid_target", "the refresh token is for another resource")


def _digest(text: str) -> str:
    return digest_of(text).hex()
