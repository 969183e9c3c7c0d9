"""The installation of the sample upstreams, with a Python that does as it is told."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PYTHON = """#!/bin/sh
# A Python whose environments are links to itself; what it installs it notes, or refuses.
echo "$0 $*" >>"$NOTES"
case "$1 $2" in
    "-m venv") mkdir -p "$3/bin" && ln -sf "$PYTHON" "$3/bin/python" ;;
    "-m pip") for refused in $REFUSED; do
            case "$0" in *"$refused"*) echo "no network for $refused" >&2; exit 1 ;; esac
        done ;;
    "-c "*) echo "$NODE" ;;
esac
"""
NODE = """#!/bin/sh
echo "node $*" >>"$NOTES"
for refused in $REFUSED; do [ "$refused" = npm ] && exit 1; done
exit 0
"""


@dataclass
class World:
    folder: Path

    @property
    def samples(self) -> Path:
        return self.folder / "samples"

    @property
    def notes(self) -> list[str]:
        """What was run since the last time."""
        file = self.folder / "notes"
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines

    def make(self, *refused: str) -> subprocess.CompletedProcess[str]:
        """`make up`, as far as the samples go."""
        python = self.folder / "python"
        environment = {
            **os.environ,
            "PYTHON": str(python),
            "NODE": str(self.folder / "bin" / "node"),
            "NOTES": str(self.folder / "notes"),
            "REFUSED": " ".join(refused),
        }
        words = ["make", f"PYTHON={python}", f"SAMPLES={self.samples}", f"{self.samples}/.ready"]
        return subprocess.run(
            words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )

    @property
    def ready(self) -> bool:
        return (self.samples / ".ready").exists()


@pytest.fixture
def world(tmp_path: Path) -> World:
    for path, text in ((tmp_path / "python", PYTHON), (tmp_path / "bin" / "node", NODE)):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o700)
    return World(tmp_path)


@pytest.mark.requirement("samples:tried-again")
def test_samples_are_installed_once(world: World) -> None:
    first = world.make()
    ran = world.notes
    second = world.make("time", "node-env", "npm")

    assert (first.returncode, second.returncode) == (0, 0)
    assert world.ready
    assert any("pip install" in line and "time/requirements.lock" in line for line in ran)
    assert any(line.startswith("node ") and " ci " in line for line in ran)
    assert world.notes == []
    assert (world.samples / "node").exists()


@pytest.mark.parametrize("refused", ["time", "node-env", "npm"])
@pytest.mark.requirement("samples:tried-again")
def test_a_sample_that_fails_stops_nothing_is_told_and_tried_again_alone(
    world: World, refused: str
) -> None:
    failed = world.make(refused)
    world.notes  # noqa: B018  # what was run the first time
    again = world.make()
    ran = world.notes

    name, other = ("time", "everything") if refused == "time" else ("everything", "time")
    assert failed.returncode == 0
    assert f"Not installed: {name}. All else works" in failed.stdout
    assert "install.log says why" in failed.stdout
    assert again.returncode == 0
    assert world.ready
    assert f"installing the sample {name}" in again.stdout
    assert f"installing the sample {other}" not in again.stdout
    assert ran


@pytest.mark.requirement("samples:tried-again")
def test_the_log_says_why_and_nothing_is_ready_that_is_not(world: World) -> None:
    world.make("time", "node-env")

    assert not world.ready
    log = (world.samples / "install.log").read_text("utf-8")
    assert log.splitlines() == ["no network for time", "no network for node-env"]
