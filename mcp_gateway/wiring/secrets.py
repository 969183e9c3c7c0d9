"""The vault, and what only one process does at a time."""

from mcp_gateway.oauth.keys.local import LocalKek
from mcp_gateway.oauth.vault import Vault
from mcp_gateway.services.leases import StoredLeases
from mcp_gateway.services.secrets import SealedSecrets
from mcp_gateway.store.leases import LeaseRows
from mcp_gateway.store.secrets import SecretRows
from mcp_gateway.wiring.ground import Ground, Wired


def wire(ground: Ground, wired: Wired) -> None:
    """Raises ConfigError for a key that cannot be had: nothing is sealed by another instead."""
    vault = Vault([LocalKek(ground.home.vault_secret())])
    wired.secrets = SealedSecrets(vault, SecretRows(ground.database))
    wired.leases = StoredLeases(LeaseRows(ground.database))
