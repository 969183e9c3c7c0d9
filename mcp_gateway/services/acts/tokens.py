"""Tokens that are over before they expire."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import InvalidRequest
from mcp_gateway.oauth.claims import TokenRefused
from mcp_gateway.oauth.rfc9068 import LEEWAY, LONGEST, name_of
from mcp_gateway.oauth.server import rfc9068
from mcp_gateway.services.connections import uncounted
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.services.operation import Nothing, Operation
from mcp_gateway.store.keys import LOCAL, Keys
from mcp_gateway.store.revocations import Revocations

BY: Final = ("token", "subject", "client", "key", "family")
_NAME: Final = r"^[!-~]{0,500}$"


class Revoke(BaseModel):
    """What is over: one of these. `token` is the token itself, or `<issuer>|<jti>`.

    A subject is `<issuer>|<subject>`; a bare one is of the gateway's own. What is issued from now
    on is good again, unless it is revoked `for_good`.
    """

    model_config = ConfigDict(extra="forbid")

    token: str = Field(default="", max_length=LONGEST)
    subject: str = Field(default="", pattern=_NAME)
    client: str = Field(default="", pattern=r"^[ -~]{0,500}$")
    key: str = Field(default="", pattern=_NAME)
    family: str = Field(default="", pattern=_NAME)
    for_good: bool = False
    reason: str = Field(default="", max_length=200)

    @model_validator(mode="after")
    def _one(self) -> Self:
        named = [by for by in BY if getattr(self, by)]
        if len(named) != 1:
            raise ValueError(f"one of {', '.join(BY)} is revoked at a time")
        if self.for_good and named[0] not in ("subject", "client"):
            raise ValueError("only subjects and clients come back, and can be revoked for good")
        return self

    def name(self) -> str:
        """As the keyring has it. Raises InvalidRequest."""
        if self.token:
            return _token_name(self.token)
        if self.subject and "|" not in self.subject:
            return f"subject:{LOCAL}|{self.subject}"
        by = next(by for by in BY if getattr(self, by))
        return f"{by}:{getattr(self, by)}"


class Restore(BaseModel):
    """A name, as `tokens revoked` lists it."""

    model_config = ConfigDict(extra="forbid")

    name: str


class TokenActs:
    """Revokes, and shows what is revoked.

    `lifetime` is that of the longest token of another issuer, in seconds.
    """

    def __init__(
        self,
        revocations: Revocations,
        keys: Keys,
        keyring: KeyringService,
        lifetime: Callable[[], float],
        counted: Callable[[str], None] = uncounted,
    ) -> None:
        self._revocations = revocations
        self._keys = keys
        self._keyring = keyring
        self._lifetime = lifetime
        self._counted = counted

    async def revoke(self, call: Call, asked: Revoke) -> Mapping[str, Any]:
        """In force here when it returns, and within a second in every other process."""
        name, now = asked.name(), int(time.time())
        call.facts |= {"revoked": name, "for_good": asked.for_good, "why": asked.reason}
        await asyncio.to_thread(self._revoked, call, asked, name, now)
        await self._keyring.refresh()
        self._counted(name.partition(":")[0])
        return {"revoked": name, "at": now}

    def _revoked(self, call: Call, asked: Revoke, name: str, now: int) -> None:
        # However young a token is: what is issued from now on cannot have its name.
        ends = now + max(int(self._lifetime()), rfc9068.LONGEST) + 2 * LEEWAY
        if asked.key:
            if not self._keys.revoke(asked.key, call.principal.tenant, now):
                raise InvalidRequest(f"there is no key {asked.key!r}; `keys list` has them")
        elif asked.token:
            self._revocations.end_token(name, ends, asked.reason)
        elif asked.family:
            if not self._revocations.end_family(asked.family, now, ends, asked.reason):
                raise InvalidRequest(f"there is no family {asked.family!r} that is not over")
        elif asked.for_good:
            self._revocations.deny(name, asked.reason, now)
        else:
            self._revocations.end(name, now, asked.reason)

    async def revoked(self, _: Call, __: Nothing) -> list[Mapping[str, Any]]:
        found = await asyncio.to_thread(self._revocations.list, int(time.time()))
        return [asdict(revoked) for revoked in found]

    async def restore(self, call: Call, asked: Restore) -> Mapping[str, Any]:
        """Takes a revocation back. A family is over for good. Raises InvalidRequest."""
        if asked.name.startswith("family:"):
            raise InvalidRequest("a family does not come back: its person logs in again")
        if not await asyncio.to_thread(self._revocations.restore, asked.name):
            raise InvalidRequest(f"nothing of the name {asked.name!r} is revoked")
        call.facts["restored"] = asked.name
        await self._keyring.refresh()
        return {"restored": asked.name}


def _token_name(token: str) -> str:
    """Raises InvalidRequest, which does not repeat it: it may be a token that is still good."""
    if "|" in token:
        return f"token:{token}"
    try:
        return name_of(token.encode())
    except TokenRefused as refused:
        raise InvalidRequest(
            f"{refused}; a token is named by its text, or as <issuer>|<jti>"
        ) from None


ACTS: Final[Mapping[str, Operation]] = {
    "tokens.revoke": Operation("POST /tokens/revoke", Revoke, TokenActs.revoke),
    "tokens.revoked": Operation("GET /tokens/revoked", Nothing, TokenActs.revoked),
    "tokens.restore": Operation("POST /tokens/restore", Restore, TokenActs.restore),
}
