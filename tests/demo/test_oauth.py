from pathlib import Path

import pytest

from tests.demo import chromium
from tests.demo.browser import form_browser
from tests.demo.oauth import Opens, tell


@pytest.mark.requirement("demo:oauth")
@pytest.mark.parametrize(
    "opens",
    [
        form_browser,
        pytest.param(
            chromium.chromium,
            marks=pytest.mark.skipif(
                not chromium.installed(), reason="needs chromium and playwright"
            ),
        ),
    ],
)
async def test_the_call_is_made_as_its_person_and_the_ledger_names_the_credential(
    tmp_path: Path, opens: Opens
) -> None:
    lines: list[str] = []

    told = await tell(tmp_path, lines.append, opens)

    assert told.answer == "the orders of ada, read with the scopes orders:read"
    assert told.sent[0] == "POST /mcp 401"
    assert "POST /oauth/register 201" in told.sent
    assert len(told.asked) == 1
    assert told.visited[-1].endswith("/connect/callback")
    outcome, granted = told.entries["outcome"], told.entries["grant.made"]
    assert granted["subject"] == outcome["subject"] == "alice"
    assert told.entries["login"]["issuer"] == outcome["issuer"] != granted["authorization_server"]
    assert outcome["client"] == told.entries["client.registered"]["client"]
    assert outcome["credential"] == f"delegated:desk:{granted['grant']}"
    assert outcome["credential_scopes"] == ["orders:read"]
    assert told.verified == 0
    assert told.leaked == []
    assert any(outcome["credential"] in line for line in lines)
    assert not any(told.asked[0] in line for line in lines)
