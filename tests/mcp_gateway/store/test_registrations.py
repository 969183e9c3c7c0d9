"""A registration is one upstream's at one issuer."""

from pathlib import Path

from mcp_gateway.store.database import Database
from mcp_gateway.store.registrations import RegistrationRows
from mcp_gateway.store.rows import RegistrationRow


def test_a_registration_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "gateway.db")
    rows = RegistrationRows(database)
    for client in ("first", "second"):
        rows.put(RegistrationRow(upstream="up", server_issuer="i", client=client, created=1))
    found = rows.of("up", "i")

    assert found is not None
    assert found.client == "second"
    assert rows.of("up", "i/") is None
    for _ in range(2):
        rows.drop("up", "i")
    assert rows.of("up", "i") is None
    database.close()
