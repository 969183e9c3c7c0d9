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
AUTH: Final = MappingProxyType(
    {
        "auth-2025-11-25": "2025-11-25",
        "auth-2026-07-28": "2026-07-28",
        "auth-extensions": "extension",
    }
)
"""The legs that judge an OAuth client towards upstreams. Without a gateway there is none to judge,
so they are held against nothing but that no check fails or warns."""
OAUTH: Final = "auth/"
NOT_SPOKEN: Final = frozenset({"auth/dpop", "auth/dpop-nonce", "auth/wif-jwt-bearer"})
"""Of drafts that the gateway does not speak, and that no revision requires."""
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
        oauth, found = leg in AUTH, dict[str, counts.Count]()
        revision = AUTH[leg] if oauth else CLIENT[leg]
        # An extension is of no revision: it is judged as the newest one has it.
        spoken = "2026-07-28" if revision == "extension" else revision
        for name in self._scenarios(revision, oauth=oauth):
            words = ("--scenario", name, "--spec-version", spoken, "--force")
            found.update(self._run(f"{leg}/{name}", "client", "--command", command, *words))
        return {name: count.strict() for name, count in found.items()} if oauth else found

    def _scenarios(self, revision: str, *, oauth: bool) -> list[str]:
        words = [str(NODE), str(SCRIPT), "list", "--client"]
        text = subprocess.run(words, capture_output=True, text=True, timeout=LEG, check=True).stdout
        return list(of_revision(text, revision, oauth=oauth))

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


def of_revision(listed: str, revision: str, *, oauth: bool) -> Iterator[str]:
    """The scenarios of a revision, of those that the suite lists with the revisions they are of."""
    for name, revisions in _LISTED.findall(listed):
        of_auth = name.startswith(OAUTH) and name not in NOT_SPOKEN
        if revision in revisions.split(",") and of_auth is oauth and name not in NOT_SPOKEN:
            yield name
