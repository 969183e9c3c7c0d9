"""What counts as a difference, and that the list of known ones only shrinks."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conformance.counts import ABSENT, Count, Known, differing, faults, read

DIRECT = {"ping": Count(passed=2), "sampling": Count(passed=5)}
NUMBERS = st.integers(min_value=0, max_value=9)
COUNTS = st.builds(Count, passed=NUMBERS, failed=NUMBERS, warned=NUMBERS)


def _write(folder: Path, *statuses: str) -> None:
    folder.mkdir(parents=True)
    checks = [{"id": f"check-{n}", "status": status} for n, status in enumerate(statuses)]
    checks[-1]["errorMessage"] = "it said no"
    (folder / "checks.json").write_text(json.dumps(checks), "utf-8")


def test_checks_are_counted_by_scenario_and_status(tmp_path: Path) -> None:
    _write(tmp_path / "server-ping-2026-11-25T01-37-50-331Z", "INFO", "SUCCESS", "FAILURE")
    _write(tmp_path / "tasks-lifecycle-2026-11-25T01-37-51-000Z", "SKIPPED", "WARNING")

    found = read(tmp_path)

    assert found == {"ping": Count(passed=1, failed=1), "tasks-lifecycle": Count(0, 0, 1, 1)}
    assert found["ping"].faults == ("failure check-2: it said no",)
    assert found["tasks-lifecycle"].faults == ("skipped check-0: ", "warning check-1: it said no")


def test_nothing_written_is_nothing_found(tmp_path: Path) -> None:
    assert read(tmp_path) == {}


@pytest.mark.requirement("conformance:no-worse-than-direct")
@pytest.mark.parametrize(
    "now", [Count(passed=4), Count(passed=5, failed=1), Count(passed=4, warned=1), ABSENT]
)
def test_fewer_checks_that_pass_or_more_that_fail_are_a_difference(now: Count) -> None:
    assert differing({"ping": Count(passed=2), "sampling": now}, DIRECT) == {"sampling": now}
    assert list(faults({**DIRECT, "sampling": now}, DIRECT, {})) == [
        f"sampling: {now}; directly 5 passed"
    ]


def test_what_is_as_without_a_gateway_is_no_difference() -> None:
    assert differing(DIRECT, DIRECT) == {}
    assert list(faults(DIRECT, DIRECT, {})) == []


def test_a_scenario_that_did_not_run_is_a_difference() -> None:
    assert list(faults({"ping": Count(passed=2)}, DIRECT, {})) == [
        "sampling: no check ran; directly 5 passed"
    ]


@pytest.mark.requirement("conformance:known-differences-only-shrink")
def test_a_known_difference_is_no_fault_as_long_as_it_is_exactly_that() -> None:
    known = {"sampling": Known(3, "nobody asks")}

    def said(passed: int) -> list[str]:
        now = {**DIRECT, "sampling": Count(passed=passed, failed=5 - passed)}
        return list(faults(now, DIRECT, known))

    assert said(3) == []
    assert said(2) == ["sampling: 2 passed, 3 failed; 3 are known to pass"]
    assert said(4) == ["sampling: 4 passed, 1 failed; listed with 3: write the new number"]
    assert said(5) == ["sampling: passes, and is listed as a known difference: take it out"]


@pytest.mark.requirement("conformance:known-differences-only-shrink")
def test_a_difference_of_a_scenario_that_is_not_measured_is_a_fault() -> None:
    known = {"gone": Known(0, "nobody asks")}

    assert list(faults({**DIRECT, "new": Count(1)}, DIRECT, known)) == [
        "gone: there is no direct figure for it",
        "new: there is no direct figure for it",
    ]


@given(now=COUNTS, direct=COUNTS, passed=NUMBERS)
def test_no_list_makes_a_difference_pass_that_is_greater_than_it_says(
    now: Count, direct: Count, passed: int
) -> None:
    found = list(faults({"one": now}, {"one": direct}, {"one": Known(passed, "because")}))

    assert (found == []) == (now.worse(direct) and now.passed == passed)
