"""Runs: which legs, over which upstreams, and side by side."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from tests.conformance.counts import Counts
from tests.conformance.gateway import gateway, upstream
from tests.conformance.suite import AUTH, CLIENT, Suite
from tests.conformance.upstream.server import Variant

VARIANTS: tuple[Variant, ...] = get_args(Variant)


@dataclass(frozen=True, slots=True)
class Run:
    """One leg over a variant of the upstream; over `suite` where the suite itself is the server."""

    leg: str
    over: Variant | Literal["suite"]
    through: bool = True

    def __str__(self) -> str:
        return f"{self.leg} over {self.over}{'' if self.through else ', direct'}"

    def measured(self, folder: Path) -> Counts:
        """Each run has an upstream and a gateway of its own: none hears of another's changes."""
        folder.mkdir(parents=True)
        suite = Suite(folder)
        if self.over == "suite":
            options = ("--through", str(folder / "gateways")) if self.through else ()
            return suite.client(self.leg, *options)
        with upstream(folder, self.over) as url:
            if not self.through:
                return suite.server(self.leg, url)
            with gateway(folder, url) as front:
                return suite.server(self.leg, front)


def chosen(legs: Iterable[str], over: Iterable[Variant], *, direct: bool) -> Iterator[Run]:
    """Those that take longest first. Without a gateway the upstream serves both eras."""
    for leg in sorted(legs, key=lambda leg: leg != "server-all"):
        if direct and leg not in AUTH:
            yield Run(leg, "suite" if leg in CLIENT else "dual", through=False)
        if leg in CLIENT or leg in AUTH:
            yield Run(leg, "suite")
        else:
            yield from (Run(leg, variant) for variant in over)


def measured(runs: list[Run], folder: Path, width: int) -> Mapping[Run, Counts]:
    """So many at a time, each with a folder of its own: most of a run is waiting."""
    folders = [folder / str(run).replace(", ", "-").replace(" ", "-") for run in runs]
    with ThreadPoolExecutor(width) as pool:
        return dict(zip(runs, pool.map(Run.measured, runs, folders), strict=True))
