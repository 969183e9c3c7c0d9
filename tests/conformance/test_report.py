"""The table that `make conformance` prints, and the runs that it is of."""

from tests.conformance.counts import Count, Counts, Known
from tests.conformance.figures import Expected
from tests.conformance.report import table, wrong
from tests.conformance.runs import Run, chosen

DIRECT = {"ping": Count(passed=2), "sampling": Count(passed=5)}
BASELINE = {"server-all": DIRECT}
KNOWN: Expected = {"dual": {"server-all": {"sampling": Known(3, "nobody asks")}}}
WORSE: Counts = {
    "ping": Count(passed=2),
    "sampling": Count(passed=3, failed=2, faults=("failure asked: no",)),
}
DUAL, MODERN = Run("server-all", "dual"), Run("server-all", "modern")


def test_the_table_shows_a_leg_beside_its_direct_figure_and_names_what_differs() -> None:
    lines = list(table({DUAL: WORSE}, BASELINE, KNOWN, why=True))

    assert [line.split() for line in lines[1:2]] == [
        ["server-all", "dual", "2/2", "(7)", "1/2", "(5)"]
    ]
    assert lines[2:] == ["    nobody asks: sampling 3/5", "        sampling: failure asked: no"]


def test_a_difference_that_nobody_listed_is_shown_as_one() -> None:
    lines = list(table({MODERN: WORSE}, BASELINE, KNOWN, why=False))

    assert lines[2:] == ["    not known: sampling 3/5"]


def test_what_is_known_over_one_upstream_is_a_fault_over_another_and_without_a_gateway() -> None:
    direct = Run("server-all", "dual", through=False)

    found = list(wrong({DUAL: WORSE, MODERN: WORSE, direct: WORSE}, BASELINE, KNOWN))

    assert found == [
        "server-all over modern: sampling: 3 passed, 2 failed; directly 5 passed",
        "server-all over dual, direct: sampling: 3 passed, 2 failed; directly 5 passed",
    ]


def test_every_leg_of_a_server_is_run_over_every_upstream_asked_for() -> None:
    runs = list(chosen(["client-2025-11-25", "server-all"], ["dual", "modern"], direct=True))

    assert runs == [
        Run("server-all", "dual", through=False),
        DUAL,
        MODERN,
        Run("client-2025-11-25", "suite", through=False),
        Run("client-2025-11-25", "suite"),
    ]
