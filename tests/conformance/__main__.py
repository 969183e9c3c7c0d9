"""`make conformance`: the official suite through the gateway, beside the suite without it.

The suite speaks to a gateway in front of an upstream that serves both eras (`dual`), or one alone
(`legacy`, `modern`), so that the gateway has to bridge. A leg must be as it is without a gateway,
but for what expected.toml lists. Exits with 1 when something is worse than that, or better.
"""

import argparse
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

from tests.conformance import figures
from tests.conformance.report import table, wrong
from tests.conformance.runs import VARIANTS, chosen, measured
from tests.conformance.suite import AUTH, CLIENT, SERVER


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance")
    parser.add_argument("--legs", nargs="*", choices=[*SERVER, *CLIENT, *AUTH], metavar="LEG")
    parser.add_argument("--over", nargs="*", choices=VARIANTS, default=VARIANTS)
    parser.add_argument(
        "--client", action="store_true", help="the client legs too, those of OAuth among them"
    )
    parser.add_argument("--direct", action="store_true", help="measure without a gateway too")
    parser.add_argument("--save", action="store_true", help="write that to baseline.json")
    parser.add_argument("--why", action="store_true", help="print every check that did not pass")
    parser.add_argument("--keep", type=Path, help="a new folder for what the programs write")
    parser.add_argument("--width", type=int, default=4, help="how many legs run side by side")
    return parser.parse_args()


def main() -> None:
    given = asked()
    baseline, known = dict(figures.baseline()), figures.expected()
    begun = time.perf_counter()
    legs = given.legs or [*SERVER, *((*CLIENT, *AUTH) if given.client else ())]
    runs = list(chosen(legs, given.over, direct=given.direct))
    kept = nullcontext(given.keep) if given.keep else tempfile.TemporaryDirectory()
    with kept as folder:
        found = measured(runs, Path(folder).resolve(), given.width)
    if given.save:
        baseline |= {run.leg: counts for run, counts in found.items() if not run.through}
        figures.write(baseline)
    print("\n".join(table(found, baseline, known, why=given.why)))
    print(f"{len(found)} legs in {time.perf_counter() - begun:.0f} s")
    faults = list(wrong(found, baseline, known))
    print("\n".join(["not as expected:", *faults]) if faults else "as expected")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
