from pathlib import Path

from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import SigningKeyRow
from mcp_gateway.store.signing import SigningKeys


def test_keys_come_in_the_order_in_which_they_sign_and_dropped_ones_not_at_all(
    tmp_path: Path,
) -> None:
    database = Database.open(tmp_path / "gateway.db")
    kept = SigningKeys(database)
    for kid, begins in (("later", 200), ("now", 100), ("gone", 50)):
        kept.add(SigningKeyRow(kid=kid, public="{}", created=1, begins=begins))
    kept.drop("gone")
    kept.drop("unknown")

    assert [row.kid for row in SigningKeys(database).all()] == ["now", "later"]
    database.close()
