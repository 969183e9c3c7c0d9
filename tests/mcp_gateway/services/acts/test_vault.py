from pathlib import Path

import pytest

from mcp_gateway.oauth.keys.local import LocalKek
from mcp_gateway.oauth.ports import Place
from mcp_gateway.oauth.vault import Vault
from mcp_gateway.services.acts.vault import VaultActs
from mcp_gateway.services.operation import Nothing
from mcp_gateway.services.secrets import SealedSecrets
from mcp_gateway.store.database import Database
from mcp_gateway.store.secrets import SecretRows
from tests.support import calls


@pytest.mark.requirement("vault:rewrap-goes-on-beside-calls")
async def test_keys_are_shown_and_what_they_wrap_is_wrapped_anew(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "gateway.db")
    old, new = LocalKek(b"o" * 32), LocalKek(b"n" * 32)
    rows, call = SecretRows(database), calls.call()
    await SealedSecrets(Vault([old]), rows).put(Place("t", "p", "u", "static"), {"value": "x"})
    acts = VaultActs(SealedSecrets(Vault([new, old]), rows))

    before = await acts.keys(call, Nothing())
    made = await acts.rewrap(call, Nothing())
    after = await acts.keys(call, Nothing())
    database.close()

    assert before == [
        {"id": new.id, "secrets": 0, "seals": True},
        {"id": old.id, "secrets": 1, "seals": False},
    ]
    assert made == {"key": new.id, "count": 1, "lost": 0}
    assert made.items() <= call.facts.items()
    assert after == [{"id": new.id, "secrets": 1, "seals": True}]
