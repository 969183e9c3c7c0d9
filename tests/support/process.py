"""Served: the gateway as people run it, `python -m mcp_gateway serve` in a process of its own."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from mcp_gateway.ledger import reader
from tests.support.gateway import EXAMPLE, free_port

BOUND = 30.0
KEY = re.compile(r"mcpgw_[0-9a-f]{8}_[\w-]{43}")
ROOT = Path(__file__).parents[2]


@dataclass
class Served:
    """A running gateway, and everything that it says."""

    process: subprocess.Popen[bytes]
    data: Path
    url: str
    out: Path
    err: Path
    verify: Any = True

    @property
    def config(self) -> Path:
        return self.data / "gateway.toml"

    @property
    def key(self) -> str:
        """The administrator's key, shown at the first start."""
        return str(KEY.findall(self.out.read_text("utf-8"))[0])

    def log(self) -> list[dict[str, Any]]:
        """Every line of standard error, each of which must be a JSON object."""
        return [json.loads(line) for line in self.err.read_text("utf-8").splitlines()]

    def logged(self, part: str) -> bool:
        return any(part in line["message"] for line in self.log())

    def entries(self, kind: str = "") -> list[reader.Line]:
        found = reader.entries(self.data / "ledger")
        return [line for line in found if kind in ("", line["kind"])]

    def http(self, key: str = "", **options: Any) -> httpx2.AsyncClient:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return httpx2.AsyncClient(
            base_url=self.url, headers=headers, timeout=BOUND, verify=self.verify, **options
        )

    @asynccontextmanager
    async def client(self, key: str = "") -> AsyncIterator[Client]:
        async with self.http(key or self.key) as http:
            transport = streamable_http_client(f"{self.url}/mcp", http_client=http)
            async with Client(transport, mode="auto") as client:
                yield client

    async def call(self, tool: str, key: str = "", **arguments: Any) -> httpx2.Response:
        """One tools/call, and nothing before or after it."""
        params = {"name": tool, "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        async with self.http(key or self.key) as http:
            return await http.post("/mcp", json=message)

    async def ready(self) -> Mapping[str, str]:
        """What /readyz says is wrong, once it answers."""
        async with self.http() as http:
            return dict((await http.get("/readyz")).json()["troubles"])

    async def serving(self, *servers: str) -> None:
        await until(lambda: self._serves(servers))

    async def _serves(self, servers: tuple[str, ...]) -> bool:
        troubles = await self.ready()
        return not any(f"server {name}" in troubles for name in servers)

    def cpu(self) -> float:
        """Seconds of work that the process has done so far."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text("utf-8")
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self, within: float = BOUND) -> int:
        """The exit code."""
        return await asyncio.to_thread(self.process.wait, within)


async def until(met: Callable[[], Any], within: float = BOUND) -> None:
    """Waits until something that another process does has come about."""
    async with asyncio.timeout(within):
        while True:
            found = met()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.02)


def spelled(config: str, port: int) -> str:
    """The configuration with the address, and the places of what tests start."""
    text = config.replace("@PYTHON@", sys.executable).replace("@EXAMPLE@", str(EXAMPLE))
    return text.replace("@PORT@", str(port))


def started(data: Path, config: str, *, port: int = 0, scheme: str = "http") -> Served:
    """Starts `serve` on a folder; the configuration is written when there is none."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = port or free_port()
    path = data / "gateway.toml"
    if not path.exists():
        path.write_text(spelled(config, port), "utf-8")
    number = len(list(data.parent.glob("out-*")))
    out, err = data.parent / f"out-{number}", data.parent / f"err-{number}"
    with out.open("wb") as to, err.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "mcp_gateway", "serve", "--data", str(data)],
            cwd=ROOT,
            stdout=to,
            stderr=errors,
            env={"PATH": os.environ["PATH"], "HOME": str(data.parent)},
        )
    return Served(process, data, f"{scheme}://127.0.0.1:{port}", out, err)


@asynccontextmanager
async def served(
    folder: Path, config: str, *, port: int = 0, scheme: str = "http", verify: Any = True
) -> AsyncIterator[Served]:
    """A gateway that has printed its welcome, ended with the test whatever happens."""
    gateway = started(folder / "var", config, port=port, scheme=scheme)
    gateway.verify = verify
    try:
        await until(lambda: gateway.process.poll() is not None or gateway.out.stat().st_size)
        if gateway.process.poll() is not None:
            raise AssertionError(gateway.err.read_text("utf-8"))
        yield gateway
    finally:
        stop(gateway.process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a process that the test started, within a bound."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(BOUND)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(BOUND)


def command(*words: str, data: Path | None = None, **variables: str) -> "Ran":
    """Runs one command of the gateway's to its end."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "mcp_gateway", *words, *(["--data", str(data)] if data else [])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
        env={"PATH": os.environ["PATH"], **variables},
    )
    return Ran(done.returncode, done.stdout, done.stderr, time.perf_counter() - begun)


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str
    seconds: float
