"""The suite: `@modelcontextprotocol/conformance`, run as its users run it."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tests.conformance import counts
from tests.conformance.counts import Counts
from tests.support.runtimes.programs import INSTALLED, NODE, ROOT

SCRIPT: Final = (
    INSTALLED / "conformance/node_modules/@modelcontextprotocol/conformance/dist/index.js"
)
SERVER: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "server-2025-06-18": ("--suite", "all", "--spec-version", "2025-06-18"),
        "server-2025-11-25": ("--requirements", "2025-11-25"),
        "server-2026-07-28": ("--requirements", "2026-07-28"),
        "server-all": ("--suite", "all"),
    }
)
"""The legs in which the suite is the client, and what it is asked to run."""
CLIENT: Final = MappingProxyType(
    {"client-2025-11-25": "2025-11-25", "client-2026-07-28": "2026-07-28"}
)
"""The legs in which the suite is the server, and the revision that it speaks."""
OAUTH: Final = "auth/"
"""Scenarios that judge an OAuth client towards upstreams, which the gateway is not yet."""
_LISTED: Final = re.compile(r"^\s+- (\S+) \[([^\]]+)\]$", re.MULTILINE)
LEG: Final = 300.0
"""Seconds that a leg may take, and a scenario of a client."""


@dataclass(frozen=True, slots=True)
class Suite:
    """Runs that leave what the suite says of them in a folder."""

    folder: Path

    def server(self, leg: str, url: str) -> Counts:
        """What it finds in the server at a URL. Raises SystemExit when it finds nothing at all."""
        return self._run(leg, "server", "--url", url, *SERVER[leg])

    def client(self, leg: str, *options: str) -> Counts:
        """What it finds in a client, with options for `tests.conformance.client`.

        One scenario after the other: the suite would begin all of them at once, and those that
        have to wait for a processor are counted as failed.
        """
        command = shlex.join([sys.executable, "-m", "tests.conformance.client", *options])
        found: dict[str, counts.Count] = {}
        for name in self._scenarios(CLIENT[leg]):
            words = ("--scenario", name, "--spec-version", CLIENT[leg], "--force")
            found.update(self._run(f"{leg}/{name}", "client", "--command", command, *words))
        return found

    def _scenarios(self, revision: str) -> list[str]:
        words = [str(NODE), str(SCRIPT), "list", "--client"]
        text = subprocess.run(words, capture_output=True, text=True, timeout=LEG, check=True).stdout
        return list(of_revision(text, revision))

    def _run(self, name: str, *words: str) -> Counts:
        if not SCRIPT.exists():
            raise SystemExit("the suite is not installed: `make conformance` installs it")
        folder = self.folder / name
        folder.mkdir(parents=True)
        log = folder / "suite.log"
        with log.open("wb") as file:
            subprocess.run(
                [str(NODE), str(SCRIPT), *words, "-o", str(folder)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=LEG,
                check=False,  # it exits with 1 when a scenario fails: what failed is counted
            )
        found = counts.read(folder)
        if not found:
            raise SystemExit(f"{name}: the suite found nothing:\n{log.read_text('utf-8')[-2000:]}")
        return found


def of_revision(listed: str, revision: str) -> Iterator[str]:
    """The scenarios of a revision, of those that the suite lists with the revisions they are of."""
    for name, revisions in _LISTED.findall(listed):
        if revision in revisions.split(",") and not name.startswith(OAUTH):
            yield name
