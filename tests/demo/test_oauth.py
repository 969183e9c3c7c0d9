from pathlib import Path

import pytest

from tests.demo.oauth import tell


@pytest.mark.requirement("demo:oauth")
async def test_the_call_is_made_as_its_person_and_the_ledger_names_the_credential(
    tmp_path: Path,
) -> None:
    lines: list[str] = []

    told = await tell(tmp_path, lines.append)

    assert told.answer == "the orders of ada, read with the scopes orders:read"
    assert len(told.asked) == 1
    assert told.visited[-1].endswith("/connect/callback")
    assert told.granted["subject"] == told.outcome["subject"] == "alice"
    assert told.outcome["credential"].startswith("delegated:desk:")
    assert told.outcome["credential_scopes"] == ["orders:read"]
    assert told.verified == 0
    assert told.leaked == []
    assert any(told.outcome["credential"] in line for line in lines)
    assert not any(told.asked[0] in line for line in lines)
