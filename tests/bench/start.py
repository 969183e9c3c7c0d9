"""How long a start with the samples of `make up` takes, and the memory of what runs then.

python -m tests.bench.start (after `make up`, which installs the samples)
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import httpx2

from tests.bench import machine
from tests.bench.routes import BOUND, started, until_ready
from tests.support.gateway import free_port

STARTS: Final = 5


def begun(samples: Path, folder: Path) -> tuple[float, float, float, float]:
    """Seconds until it listens and until all is served; MiB (PSS) alone, and with its children."""
    port, data = free_port(), folder / "var"
    data.mkdir(mode=0o700)
    address = f"GATEWAY_GATEWAY__LISTEN=127.0.0.1:{port}"
    serve = [sys.executable, "-m", "mcp_gateway", "serve", "--data", str(data)]
    command = ["env", address, *serve, "--samples", str(samples)]
    at = time.perf_counter()
    with started(command, folder / "out") as process:
        _until_heard(port)
        listening = time.perf_counter() - at
        until_ready(port)
        served = time.perf_counter() - at
        alone = machine.memory(process.pid)
        return listening, served, alone, sum(map(machine.memory, _family(process.pid)))


def _until_heard(port: int) -> None:
    end = time.perf_counter() + BOUND
    while time.perf_counter() < end:
        try:
            httpx2.get(f"http://127.0.0.1:{port}/healthz")
        except httpx2.HTTPError:
            time.sleep(0.01)
        else:
            return
    raise SystemExit("the gateway does not listen")


def _family(pid: int) -> list[int]:
    """A process, and all that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.start")
    parser.add_argument("--samples", type=Path, default=Path(".samples"))
    samples = parser.parse_args().samples.absolute()
    if not (samples / "time").exists():
        raise SystemExit("the samples are not installed: run `make up` once")
    found = []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory(prefix="start-") as folder:
            found.append(begun(samples, Path(folder)))
    names = ("listening, s", "all served, s", "MiB alone", "MiB with upstreams")
    for name, values in zip(names, zip(*found, strict=True), strict=True):
        print(f"{name:20} {min(values):7.2f} to {max(values):7.2f}")
    print(f"calibration {machine.calibration():.0f} ms")


if __name__ == "__main__":
    main()
