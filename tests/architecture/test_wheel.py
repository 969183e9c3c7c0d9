"""What is released works where nothing else is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

from connectors.entries import names

ROOT = Path(__file__).parents[2]


def _run(*command: str, cwd: Path) -> str:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.requirement("release:wheel-runs-alone")
def test_the_wheel_runs_in_an_empty_environment(tmp_path: Path) -> None:
    uv = str(Path(sys.executable).parent / "uv")
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path), cwd=ROOT)
    wheel = next(tmp_path.glob("*.whl"))
    empty = tmp_path / "empty"
    python = str(empty / "bin" / "python")
    _run(uv, "venv", "-q", "--python", sys.executable, str(empty), cwd=tmp_path)
    lock = str(ROOT / "requirements.lock")
    _run(uv, "pip", "install", "-q", "--python", python, "--require-hashes", "-r", lock, cwd=ROOT)
    _run(uv, "pip", "install", "-q", "--python", python, "--no-deps", str(wheel), cwd=tmp_path)

    command = str(empty / "bin" / "mcp-gateway")
    _run(command, "init", "--data", str(tmp_path / "var"), cwd=tmp_path)
    said = _run(command, "check", "--data", str(tmp_path / "var"), cwd=tmp_path)

    listed = _run(command, "servers", "catalogue", cwd=tmp_path)

    assert said.splitlines()[-1].startswith("ok: ")
    assert listed.count("\ncatalog:") + 1 == len(names())
