"""Everything that is configured of a grant is what those read who obtain credentials."""

from dataclasses import fields
from pathlib import Path

import pytest

from mcp_gateway.config import GrantSection
from mcp_gateway.oauth.ports import GrantOptions, no_secret
from mcp_gateway.services.grant_options import grant_options


def test_every_option_is_read_from_the_key_of_its_name() -> None:
    section = GrantSection(
        kind="delegated", client="us", issuer="https://as.example.com", resource="-", scopes=["a"]
    )
    found = grant_options(section)

    assert (found.client, found.issuer, found.resource) == ("us", "https://as.example.com", "-")
    assert found.client_secret is no_secret
    assert {field.name for field in fields(GrantOptions)} <= set(GrantSection.model_fields)


def test_a_secret_is_read_when_it_is_needed_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UP_SECRET", "before")
    section = GrantSection.model_validate(
        {"kind": "delegated", "client": "us", "client_secret": {"env": "UP_SECRET"}}
    )
    found = grant_options(section)
    monkeypatch.setenv("UP_SECRET", "after")

    assert found.client_secret() == "after"
    assert "after" not in repr(found)
