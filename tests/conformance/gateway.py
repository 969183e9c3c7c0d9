"""The gateway between the suite and an upstream: the real one, with everything allowed."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.bench.routes import started
from tests.conformance.upstream.server import Variant
from tests.support.gateway import free_port

ENDPOINT = "/servers/reference/mcp"
"""Where tools keep the names that the scenarios call them by."""
STARTING = 120.0
"""Seconds that a program may take to start, on a machine that is busy with other legs."""
RULES = "p, 10, all, role:anonymous, *, */*/*, *, , allow,\n"
CONFIG = """
[gateway]
listen = "127.0.0.1:{port}"
notice = 0
drain = 0
[identity]
anonymous = true
[policy]
rules = ["all.csv"]
[limits]
principal = {{ default = "1000000/second" }}
[sessions]
release_after = 0.01
[ledger]
durability = "written"
[servers.reference]
connector = "mcp_http"
url = "{upstream}"
guard = "observe"
{more}
"""


@contextmanager
def upstream(folder: Path, variant: Variant) -> Iterator[str]:
    """The URL of the upstream, which serves until it is left."""
    port = free_port()
    command = [sys.executable, "-m", "tests.conformance.upstream", str(port), variant]
    with started(command, folder / "upstream.log"):
        _until_found(f"http://127.0.0.1:{port}/", folder / "upstream.log")
        yield f"http://localhost:{port}/mcp"


@contextmanager
def gateway(folder: Path, url: str, more: str = "") -> Iterator[str]:
    """The URL at which a gateway serves the upstream, once it does. `more` is of its section."""
    port = free_port()
    data = folder / "var"
    data.mkdir(mode=0o700)
    (data / "all.csv").write_text(RULES, "utf-8")
    (data / "gateway.toml").write_text(CONFIG.format(port=port, upstream=url, more=more), "utf-8")
    command = [sys.executable, "-m", "mcp_gateway", "serve", "--data", str(data)]
    with started(command, folder / "gateway.log"):
        _until_found(f"http://127.0.0.1:{port}/readyz", folder / "gateway.log")
        yield f"http://localhost:{port}{ENDPOINT}"


def _until_found(url: str, log: Path) -> None:
    """Waits until something answers there and, if it is a gateway, serves every upstream.

    Raises SystemExit with the end of what it wrote.
    """
    begun = time.perf_counter()
    while time.perf_counter() - begun < STARTING:
        if _whole(url):
            return
        time.sleep(0.05)
    raise SystemExit(f"{url} is not ready:\n{log.read_text('utf-8')[-2000:]}")


def _whole(url: str) -> bool:
    try:
        answer = httpx2.get(url)
    except httpx2.TransportError:
        return False
    return not (url.endswith("/readyz") and json.loads(answer.content)["troubles"])
