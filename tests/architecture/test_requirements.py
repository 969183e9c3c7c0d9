"""Every behaviour has an id, a source and a sentence; every id that a test names has a row."""

import re
import tomllib
from pathlib import Path

TESTS = Path(__file__).parents[1]
_NAMED = re.compile(r'requirement\(\s*"([a-z-]+:[a-z0-9-]+)"')


def _rows() -> dict[str, dict[str, str]]:
    rows: dict[str, dict[str, str]] = {}
    for file in sorted((TESTS / "requirements.d").glob("*.toml")):
        for id_, row in tomllib.loads(file.read_text("utf-8")).items():
            assert id_ not in rows, f"{id_} stands twice"
            rows[id_] = row
    return rows


def _named() -> set[str]:
    files = [path for path in TESTS.rglob("test_*.py") if path != Path(__file__)]
    return {id_ for path in files for id_ in _NAMED.findall(path.read_text("utf-8"))}


def test_every_requirement_has_a_test() -> None:
    assert set(_rows()) - _named() == set()


def test_every_id_that_a_test_names_has_a_row() -> None:
    assert _named() - set(_rows()) == set()


def test_every_row_says_where_it_comes_from_and_what_it_is() -> None:
    for id_, row in _rows().items():
        assert set(row) == {"source", "says"}, id_
        assert all(row.values()), id_
