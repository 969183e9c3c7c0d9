"""The shape of the tree: small files, and nothing that speaks of anything but the project."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
LARGEST = 400
_ELSEWHERE = re.compile(r"p[y]pi\.org|p[y]thonhosted|n[p]mjs\.org|d[e]b\.debian|/r[o]ot/|/w[o]rk/")


def _files() -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_no_source_file_is_longer_than_four_hundred_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines())
        for path in _files()
        if path.suffix == ".py"
    }
    assert {name: lines for name, lines in long.items() if lines > LARGEST} == {}


def test_no_file_names_a_registry_or_a_path_of_a_machine() -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in _files()
        if path.suffix != ".png" and _ELSEWHERE.search(path.read_text("utf-8"))
    ]
    assert found == []


def test_every_test_folder_is_a_package() -> None:
    folders = {path.parent for path in _files() if path.name.startswith("test_")}
    assert [str(f) for f in sorted(folders) if not (f / "__init__.py").exists()] == []
