"""The vault, and what only one process does at a time."""

from collections.abc import Sequence

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


def wire(ground: Ground, wired: Wired) -> None:
    """Raises ConfigError for a key that cannot be had: nothing is sealed by another instead."""
    vault = Vault(keys(ground.at_start, ground.home))
    secrets = wired.secrets = SealedSecrets(vault, SecretRows(ground.database))
    wired.acting["vault"] = VaultActs(secrets)
    wired.leases = StoredLeases(LeaseRows(ground.database))


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
