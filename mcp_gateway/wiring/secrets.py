"""The vault, and what only one process does at a time."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from mcp_gateway.config import ConfigError, Pkcs11, Secret, Settings
from mcp_gateway.home import Home
from mcp_gateway.oauth.keys.local import LocalKek
from mcp_gateway.oauth.ports import Kek
from mcp_gateway.oauth.vault import Vault
from mcp_gateway.services.acts.vault import VaultActs
from mcp_gateway.services.leases import StoredLeases
from mcp_gateway.services.secrets import SealedSecrets
from mcp_gateway.store.leases import LeaseRows
from mcp_gateway.store.secrets import SecretRows
from mcp_gateway.wiring.ground import Ground, Wired

MINUTE: Final = 60.0


def wire(ground: Ground, wired: Wired) -> None:
    """Raises ConfigError for a key that cannot be had: nothing is sealed by another instead."""
    vault = Vault(keys(ground.at_start, ground.home))
    secrets = wired.secrets = SealedSecrets(vault, SecretRows(ground.database))
    wired.acting["vault"] = VaultActs(secrets)
    counting = Counting(secrets)
    wired.sealed, wired.jobs["secrets of the vault"] = counting.found, counting.follow
    wired.leases = StoredLeases(LeaseRows(ground.database))


class Counting:
    """How many secrets each key wraps, as of a minute ago: nobody who asks waits for the store."""

    def __init__(self, secrets: SealedSecrets) -> None:
        self._secrets = secrets
        self._found: Mapping[str, int] = {}

    def found(self) -> Mapping[str, int]:
        return self._found

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            self._found = await self._secrets.counts()
            await asyncio.sleep(MINUTE)


def keys(settings: Settings, home: Home) -> Sequence[Kek]:
    """The first one seals, all open. Raises ConfigError."""
    section = settings.vault
    if section.pkcs11:
        first = _in_token(section.pkcs11)
    else:
        first = _configured(section.key) if section.key else LocalKek(home.vault_secret())
    return [first, *map(_configured, section.previous)]


def _in_token(section: Pkcs11) -> Kek:
    try:
        # Imported here: it is an extra, which few installations need.
        from mcp_gateway.oauth.keys.pkcs11 import Pkcs11Kek  # noqa: PLC0415

        return Pkcs11Kek(section.module, section.token, section.label, section.pin.read())
    except ConfigError:
        raise
    except ImportError:
        raise ConfigError("vault: install mcp-gateway[pkcs11] for a key in a token") from None
    except ValueError as error:
        raise ConfigError(f"vault: {error}") from None


def _configured(reference: Secret) -> Kek:
    try:
        return LocalKek(bytes.fromhex(reference.read()))
    except ConfigError:
        raise
    except ValueError:
        named = reference.file or reference.env
        raise ConfigError(
            f"vault: {named} is no key of 32 bytes in hexadecimal: `openssl rand -hex 32` makes one"
        ) from None
