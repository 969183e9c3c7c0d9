"""Log-outs at an issuer: what was issued to the log-in is over here, in every process."""

import asyncio
from typing import Final

from mcp_gateway.core import ports
from mcp_gateway.core.entry import Entry
from mcp_gateway.core.errors import Refusal
from mcp_gateway.oauth.backchannel import LogOut
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.store.revocations import Revocations

REASON: Final = "logged out at its issuer"


class Replayed(Exception):
    """A log-out that was told before."""


class LogOuts:
    """Takes each once, and records it before it counts."""

    def __init__(
        self, revocations: Revocations, keyring: KeyringService, ledger: ports.Ledger
    ) -> None:
        self._revocations = revocations
        self._keyring = keyring
        self._ledger = ledger

    async def heard(self, logout: LogOut) -> None:
        """In force here when it returns, and within a second in every other process.

        Raises Replayed, or the Refusal of a ledger that cannot take the entry: then it can be told
        again.
        """
        once = f"jti:{logout.issuer}|{logout.id}"
        if not await asyncio.to_thread(self._revocations.once, once, logout.expires):
            raise Replayed
        try:
            for name in sorted(logout.names):
                body = {"name": name, "by": f"issuer:{logout.issuer}", "reason": REASON}
                await self._ledger.append(Entry("revoked", body=body))
        except Refusal:
            await asyncio.to_thread(self._revocations.unused, once)
            raise
        for name in sorted(logout.names):
            await asyncio.to_thread(self._revocations.end, name, logout.issued, REASON)
        await self._keyring.refresh()
