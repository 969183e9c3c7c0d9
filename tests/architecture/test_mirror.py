"""The tests mirror the source: `a/b.py` is tested in `tests/a/test_b.py`, and back."""

from pathlib import Path, PurePosixPath
from typing import Final

import pytest

from tests.architecture.documents import ROOT, name_of
from tests.architecture.sources import PACKAGES, defines, python, sources

ELSEWHERE: Final = {
    "mcp_gateway/store/rows.py": "rows without behaviour, which the tests beside it read",
    "mcp_gateway/oauth/ports.py": "contracts without behaviour, which the tests of both sides read",
    **{
        str(path.relative_to(ROOT)): "it puts together what every test of a whole gateway runs"
        for path in (ROOT / "mcp_gateway" / "wiring").glob("[a-z]*.py")
    },
    "mcp_gateway/store/tables.py": "rows without behaviour, which the tests beside it read",
}
"""Sources that have no test of their own, and why."""
OF_SEVERAL: Final = {
    "tests/connectors/test_every_connector.py": "what holds for each connector of the list",
    "tests/mcp_gateway/stages/test_every_stage.py": "what holds for each stage of the list",
    "tests/policies/test_differential.py": "the whole engine beside stock Casbin",
    "tests/skills/test_builtin.py": "builtin() in skills/__init__.py, and the folders of that name",
}
"""Tests that are about more than one source, or about one that has no name."""
BESIDE: Final = {
    *("architecture", "bench", "conformance", "demo", "deploy", "fuzz", "runtimes", "scenarios"),
    *("soak", "support"),
}
"""Folders of tests that mirror nothing."""


def mirror_of(source: str) -> str:
    path = PurePosixPath(source)
    return str("tests" / path.with_name(f"test_{path.name}"))


def sources_of(test: str) -> list[str]:
    """What a test may be about: `test_a_b.py` is about a_b.py, or about an aspect of a.py."""
    path = PurePosixPath(test).relative_to("tests")
    words = path.stem.removeprefix("test_").split("_")
    names = ("_".join(words[: n + 1]) for n in range(len(words)))
    return [str(path.with_name(f"{name}.py")) for name in names]


@pytest.mark.requirement("tree:tests-mirror-the-source")
def test_every_source_file_has_its_test() -> None:
    named = [name_of(path) for path in sources() if path.name != "__init__.py" and defines(path)]
    missing = [n for n in named if n not in ELSEWHERE and not (ROOT / mirror_of(n)).exists()]

    assert missing == []


@pytest.mark.requirement("tree:tests-mirror-the-source")
def test_every_test_file_has_its_source() -> None:
    mirrored = [
        name_of(path)
        for path in python()
        if path.name.startswith("test_") and path.is_relative_to(ROOT / "tests")
        if path.relative_to(ROOT / "tests").parts[0] in PACKAGES
    ]
    orphans = [t for t in mirrored if not any((ROOT / s).exists() for s in sources_of(t))]

    assert sorted(orphans) == sorted(OF_SEVERAL)


def test_every_folder_of_tests_mirrors_a_package_or_says_what_else_it_is() -> None:
    folders = {path.relative_to(ROOT / "tests").parts for path in (ROOT / "tests").glob("*/*.py")}

    assert {parts[0] for parts in folders} <= {*PACKAGES, *BESIDE}


def test_an_exception_is_about_a_file_that_is_there() -> None:
    assert [name for name in [*ELSEWHERE, *OF_SEVERAL] if not Path(ROOT / name).exists()] == []
