"""The report: the table of the legs, and everything that is not as it is known to be."""

from collections.abc import Iterator, Mapping

from tests.conformance import counts
from tests.conformance.counts import Count, Counts, Known
from tests.conformance.figures import Expected
from tests.conformance.runs import Run

HEAD = f"{'leg':18} {'over':7} {'direct':>12} {'gateway':>12}"
LONGEST = 300


def table(
    found: Mapping[Run, Counts], baseline: Mapping[str, Counts], known: Expected, *, why: bool
) -> Iterator[str]:
    """A line a leg: how many scenarios are as without a gateway, and how many checks pass.

    Below it stand the scenarios that differ. `why` adds each of their checks that did not pass.
    """
    yield HEAD
    for run in sorted(found, key=lambda run: (run.leg, run.through, run.over)):
        direct, now = baseline[run.leg], found[run]
        shown = [_figure(direct, direct), _figure(now, direct)] if run.through else []
        shown = shown or [_figure(now, direct)]
        yield f"{run.leg:18} {run.over:7} " + " ".join(f"{text:>12}" for text in shown)
        yield from _differences(counts.differing(now, direct), direct, _known(known, run), why=why)


def _differences(
    found: Mapping[str, Count], direct: Counts, known: Mapping[str, Known], *, why: bool
) -> Iterator[str]:
    """A line a reason, with how many checks of its scenarios pass."""
    reasons: dict[str, list[str]] = {}
    for name, count in sorted(found.items()):
        reason = known[name].why if name in known else "not known"
        share = f"{name} {count.passed}/{direct[name].passed}"
        reasons.setdefault(reason, []).append(share)
    yield from (f"    {reason}: {', '.join(names)}" for reason, names in reasons.items())
    for name, count in sorted(found.items()) if why else ():
        yield from (f"        {name}: {fault[:LONGEST]}" for fault in count.faults)


def wrong(
    found: Mapping[Run, Counts], baseline: Mapping[str, Counts], known: Expected
) -> Iterator[str]:
    """A sentence for each scenario that is worse than is known, or better."""
    for run, now in found.items():
        for fault in counts.faults(now, baseline[run.leg], _known(known, run)):
            yield f"{run}: {fault}"


def _known(known: Expected, run: Run) -> Mapping[str, Known]:
    """Nothing is known to differ where there is no gateway."""
    return known.get(run.over, {}).get(run.leg, {}) if run.through else {}


def _figure(now: Counts, direct: Counts) -> str:
    same = len(direct) - len(counts.differing(now, direct))
    return f"{same}/{len(direct)} ({counts.passed(now)})"
