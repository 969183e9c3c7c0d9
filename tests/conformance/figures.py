"""The figures that a run is held against: the direct ones, and the differences that are known."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tests.conformance.counts import Count, Counts, Known

HERE: Final = Path(__file__).parent
BASELINE: Final = HERE / "baseline.json"
EXPECTED: Final = HERE / "expected.toml"
Expected = Mapping[str, Mapping[str, Mapping[str, Known]]]
"""By variant of the upstream, leg and scenario."""


def baseline(path: Path = BASELINE) -> Mapping[str, Counts]:
    """By leg, what the suite finds when it speaks to the upstream itself."""
    content = json.loads(path.read_text("utf-8"))
    return {leg: {n: Count(**c) for n, c in counts.items()} for leg, counts in content.items()}


def write(legs: Mapping[str, Counts], path: Path = BASELINE) -> None:
    """With a scenario a line, so that a change reads well."""
    written = ",\n".join(f' "{leg}": {{\n{_lines(counts)}\n }}' for leg, counts in legs.items())
    path.write_text(f"{{\n{written}\n}}\n", "utf-8")


def _lines(counts: Counts) -> str:
    said = {name: asdict(count) for name, count in sorted(counts.items())}
    for count in said.values():
        del count["faults"]
    plain = {name: {k: v for k, v in count.items() if v} for name, count in said.items()}
    return ",\n".join(f"  {json.dumps(name)}: {json.dumps(plain[name])}" for name in plain)


def expected(path: Path = EXPECTED) -> Expected:
    """Raises ValueError when an entry names no reason of the list, or a reason is named by none."""
    content = tomllib.loads(path.read_text("utf-8"))
    reasons: Mapping[str, str] = content.pop("why")
    named = {
        key
        for legs in content.values()
        for scenarios in legs.values()
        for entry in scenarios.values()
        for key in entry["why"]
    }
    if named != reasons.keys():
        raise ValueError(f"{path.name}: of [why] alone, or missing there: {named ^ reasons.keys()}")
    return {
        variant: {leg: _scenarios(entries, reasons) for leg, entries in legs.items()}
        for variant, legs in content.items()
    }


def _scenarios(entries: Mapping[str, Any], reasons: Mapping[str, str]) -> Mapping[str, Known]:
    return {
        name: Known(entry["passed"], "; ".join(reasons[key] for key in entry["why"]))
        for name, entry in entries.items()
    }
