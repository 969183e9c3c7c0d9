"""`make bench`: the path of a call, beside the same calls without a gateway.

Times are noisy on shared machines: judge by CPU per call, and by the calibration loop beside it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import uvloop

from tests.bench import load
from tests.support.gateway import free_port

SIZES = (200, 4096, 65_536)
CONFIG = """
[gateway]
listen = "127.0.0.1:{port}"
[policy]
rules = ["builtin:first-run"]
[limits]
principal = {{ default = "1000000/second" }}
[ledger]
durability = "{durability}"
[servers.everything]
connector = "mcp_http"
url = "http://127.0.0.1:{upstream}/mcp"
"""


def cpu(pid: int) -> float:
    """Seconds of user and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    """MiB of the process's own memory (PSS)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.findall(r"^Pss:\s+(\d+)", text, re.MULTILINE)[0]) / 1024


def calibration() -> float:
    """Milliseconds of CPU that a fixed loop takes: how fast this machine is just now."""
    started = time.process_time()
    total = 0
    for number in range(1_000_000):
        total += number * number
    return (time.process_time() - started) * 1e3


@contextmanager
def started(command: list[str], out: Path) -> Iterator[subprocess.Popen[bytes]]:
    with out.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def until_ready(port: int) -> float:
    """Seconds until the gateway is ready and its upstream is served."""
    begun = time.perf_counter()
    while time.perf_counter() - begun < 30:
        try:
            answer = httpx2.get(f"http://127.0.0.1:{port}/readyz").json()
        except (httpx2.HTTPError, json.JSONDecodeError):
            answer = {"troubles": {"not": "up"}}
        if not answer["troubles"]:
            return time.perf_counter() - begun
        time.sleep(0.02)
    raise SystemExit("the gateway did not become ready")


def measure(durability: str, upstream: int, calls: int, folder: Path) -> None:
    port = free_port()
    data = folder / durability
    data.mkdir(mode=0o700)
    text = CONFIG.format(port=port, upstream=upstream, durability=durability)
    (data / "gateway.toml").write_text(text)
    out = folder / f"{durability}.log"
    command = [sys.executable, "-m", "mcp_gateway", "serve", "--data", str(data)]
    with started(command, out) as process:
        ready = until_ready(port)
        key = re.findall(r"mcpgw_[0-9a-f]{8}_[\w-]{43}", out.read_text())[0]
        print(f"{durability}: ready after {ready:.2f} s, {memory(process.pid):.0f} MiB")
        for size in SIZES:
            row(process.pid, port, key, size, max(calls * 200 // max(size, 200), 500))
        print(f"{durability}: {memory(process.pid):.0f} MiB at the end")


def row(pid: int, port: int, key: str, size: int, calls: int) -> None:
    text = "x" * size
    message = load.request(port, key, "everything__echo", text)
    uvloop.run(load.run(port, message, text, 200, 4))
    single = uvloop.run(load.run(port, message, text, min(calls, 1000), 1))
    before = cpu(pid)
    many = uvloop.run(load.run(port, message, text, calls, 16))
    each = (cpu(pid) - before) / len(many.latencies) * 1e6
    rate = len(many.latencies) / many.seconds
    print(
        f"  {size:6} B  c=1 p50 {single.quantile(0.5) * 1e3:.3f} ms p99 "
        f"{single.quantile(0.99) * 1e3:.3f} ms | c=16 {rate:6.0f} calls/s, gateway CPU "
        f"{each:4.0f} us a call | calibration {calibration():.0f} ms"
    )


def direct(upstream: int) -> None:
    """The same calls without a gateway."""
    for size in SIZES:
        text = "x" * size
        message = load.request(upstream, "none", "echo", text)
        single = uvloop.run(load.run(upstream, message, text, 1000, 1))
        many = uvloop.run(load.run(upstream, message, text, 4000, 16))
        rate = len(many.latencies) / many.seconds
        p50 = single.quantile(0.5) * 1e3
        print(f"direct {size:6} B  c=1 p50 {p50:.3f} ms | c=16 {rate:6.0f} calls/s")


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    upstream = free_port()
    command = [sys.executable, "-m", "tests.bench.echo_upstream", str(upstream)]
    try:
        with started(command, folder / "upstream.log"):
            time.sleep(1)
            direct(upstream)
            for durability in ("written", "flushed"):
                measure(durability, upstream, calls, folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
