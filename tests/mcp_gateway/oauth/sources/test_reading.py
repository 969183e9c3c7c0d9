import logging
from pathlib import Path

import pytest

from mcp_gateway.config import Secret as Reference
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.core.secret import Secret
from mcp_gateway.oauth.sources.reading import read, shown


def test_a_secret_is_read_and_shown_behind_its_prefix(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hub\n")

    secret = read("github", Reference(file=str(tmp_path / "key")).read)

    assert shown("github", "the secret", "Bearer ", secret) == "Bearer hub"


@pytest.mark.requirement("broker:secrets-stay-inside")
@pytest.mark.requirement("attack:b5")
@pytest.mark.parametrize(
    "value", ["", " ", "hub\r\nx-admin: yes", "hub\n", "\x00", "schlüssel", "hub\x7f", " hub"]
)
def test_a_secret_that_no_header_can_hold_fails_without_being_said(value: str) -> None:
    with pytest.raises(UpstreamFailed, match="nothing that a header can hold") as failed:
        shown("github", "the secret", "Bearer ", Secret(value))

    assert not value.strip() or value not in str(failed.value)


@pytest.mark.requirement("broker:secrets-stay-inside")
def test_a_secret_that_cannot_be_read_fails_and_the_caller_learns_no_path(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    missing = Reference(file=str(tmp_path / "key"))

    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(UpstreamFailed, match="cannot read its secret for github") as failed,
    ):
        read("github", missing.read)

    assert str(tmp_path) not in str(failed.value)
    assert str(tmp_path) in caplog.text
