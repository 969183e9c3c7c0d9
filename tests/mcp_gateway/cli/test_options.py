from pathlib import Path

import pytest

from tests.mcp_gateway.cli.conftest import run


def test_the_data_folder_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gateway.toml").write_text("[gateway]\nlisten_on = 1\n")
    monkeypatch.setenv("GATEWAY_DATA", str(tmp_path))

    assert str(tmp_path / "gateway.toml") in run("check").output


def test_a_file_is_no_data_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("check", "--data", str(tmp_path / "file"))

    assert result.exit_code == 2
    assert "is a file" in result.output
