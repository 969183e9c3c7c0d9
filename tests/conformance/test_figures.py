"""The files of figures: what they say is of something that is measured."""

from pathlib import Path

import pytest

from tests.conformance import figures
from tests.conformance.counts import Count, Known
from tests.conformance.runs import VARIANTS
from tests.conformance.suite import AUTH, CLIENT, SERVER

ENTRY = """
[why]
asking = "nobody asks"
capabilities = "nobody is told"

[dual.server-all]
sampling = { passed = 3, why = ["asking", "capabilities"] }
"""


def test_every_leg_has_its_direct_figures_and_nothing_fails_there() -> None:
    found = figures.baseline()

    assert found.keys() == {*SERVER, *CLIENT, *AUTH}
    assert [count for counts in found.values() for count in counts.values() if count.failed] == []


@pytest.mark.requirement("conformance:known-differences-only-shrink")
def test_every_known_difference_is_less_than_passes_without_a_gateway() -> None:
    direct = figures.baseline()
    entries = [
        (variant, leg, known.passed, direct[leg][name].passed)
        for variant, legs in figures.expected().items()
        for leg, scenarios in legs.items()
        for name, known in scenarios.items()
    ]

    assert [entry for entry in entries if entry[2] >= entry[3]] == []
    assert {variant for variant, *_ in entries} <= {*VARIANTS, "suite"}


def test_the_direct_figures_are_read_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    written = {"server-all": {"ping": Count(passed=2, skipped=1), "sampling": Count(passed=5)}}

    figures.write(written, path)

    assert figures.baseline(path) == written
    assert '  "ping": {"passed": 2, "skipped": 1},\n' in path.read_text("utf-8")


def test_an_entry_has_the_reasons_that_it_names(tmp_path: Path) -> None:
    path = tmp_path / "expected.toml"
    path.write_text(ENTRY, "utf-8")

    found = figures.expected(path)

    known = Known(3, "nobody asks; nobody is told")
    assert found == {"dual": {"server-all": {"sampling": known}}}


@pytest.mark.parametrize("change", [(', "capabilities"', ""), ('"asking"', '"asked"')])
def test_a_reason_without_an_entry_and_an_entry_without_a_reason_are_refused(
    tmp_path: Path, change: tuple[str, str]
) -> None:
    path = tmp_path / "expected.toml"
    path.write_text(ENTRY.replace(*change), "utf-8")

    with pytest.raises(ValueError, match="of \\[why\\] alone"):
        figures.expected(path)
