"""The gateway as a process of its own, started as a person starts it."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import httpx2

from mcp_gateway.ledger import reader
from tests.support.gateway import EXAMPLE, free_port

ROOT: Final = Path(__file__).parents[2]
STARTING: Final = 30.0
ENDING: Final = 20.0


@dataclass(frozen=True, slots=True)
class Served:
    """A running `mcp-gateway serve`, its data folder, and what it printed."""

    pid: int
    url: str
    data: Path
    out: Path

    def printed(self, heading: str = "") -> str:
        """Everything that it printed, or the lines under a heading."""
        text = self.out.read_text("utf-8")
        if not heading:
            return text
        found = re.search(rf"^{re.escape(heading)}[^\n]*:\n((?:  .*\n)+)", text, re.MULTILINE)
        assert found, f"{heading!r} was not printed: {text}"
        return "\n".join(line.strip() for line in found[1].splitlines())

    @property
    def key(self) -> str:
        return self.printed("Your API key")

    def entries(self, kind: str) -> list[reader.Line]:
        lines = reader.entries(self.data / "ledger")
        return [line for line in lines if line["kind"] == kind]


@asynccontextmanager
async def served(
    folder: Path, config: str, files: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[Served]:
    """Starts the gateway with a configuration, and files beside it.

    Yields once every upstream is served.
    """
    port = free_port()
    data = folder / "var"
    data.mkdir(mode=0o700)
    text = config.replace("@PYTHON@", sys.executable).replace("@EXAMPLE@", str(EXAMPLE))
    (data / "gateway.toml").write_text(f'[gateway]\nlisten = "127.0.0.1:{port}"\n{text}', "utf-8")
    for name, content in files.items():
        (data / name).write_text(content, "utf-8")
    out = folder / "serve.log"
    with out.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mcp_gateway", "serve", "--data", str(data)),
            cwd=ROOT,
            env={k: v for k, v in os.environ.items() if not k.startswith("GATEWAY_")},
            stdout=file,
            stderr=file,
        )
    gateway = Served(process.pid, f"http://127.0.0.1:{port}", data, out)
    try:
        await _ready(gateway)
        yield gateway
    finally:
        await _end(process)


async def _ready(gateway: Served) -> None:
    async with asyncio.timeout(STARTING), httpx2.AsyncClient(base_url=gateway.url) as http:
        while True:
            try:
                answer = await http.get("/readyz")
            except httpx2.TransportError:
                answer = None
            whole = answer is not None and not json.loads(answer.content)["troubles"]
            if whole and "Codex:" in gateway.printed():
                return
            await asyncio.sleep(0.05)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Asks it to end, as an operator does. Raises AssertionError when it had to be killed."""
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(ENDING):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise AssertionError("the gateway did not end by itself") from None
