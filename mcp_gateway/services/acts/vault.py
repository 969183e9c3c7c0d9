"""The vault's keys."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from mcp_gateway.core.call import Call
from mcp_gateway.services.operation import Nothing, Operation
from mcp_gateway.services.secrets import SealedSecrets


class VaultActs:
    """Of the whole installation: the keys are its own, and not a tenant's."""

    def __init__(self, secrets: SealedSecrets) -> None:
        self._secrets = secrets

    async def keys(self, call: Call, _: Nothing) -> list[Mapping[str, Any]]:  # noqa: ARG002
        counts = await self._secrets.counts()
        first = next(iter(counts))
        return [{"id": id_, "secrets": n, "seals": id_ == first} for id_, n in counts.items()]

    async def rewrap(self, call: Call, _: Nothing) -> Mapping[str, Any]:
        made = asdict(await self._secrets.rewrap())
        call.facts |= made
        return made


ACTS: Final[Mapping[str, Operation]] = {
    "vault.keys": Operation("GET /vault/keys", Nothing, VaultActs.keys),
    "vault.rewrap": Operation("POST /vault/rewrap", Nothing, VaultActs.rewrap),
}
