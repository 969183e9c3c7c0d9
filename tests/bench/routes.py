"""The paths that are compared: straight to the upstream, through nginx, through the gateway."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.support.gateway import free_port

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
NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_body_buffer_size 256k;
  proxy_buffers 32 8k;
  proxy_max_temp_file_size 0;
  keepalive_requests 100000000;
  upstream echo {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://echo; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""
BOUND = 30.0


@dataclass(frozen=True, slots=True)
class Route:
    """Where a load goes: `pid` of what stands between, 0 for nothing."""

    name: str
    port: int
    tool: str
    key: str = "none"
    pid: int = 0


@contextmanager
def started(command: list[str], out: Path) -> Iterator[subprocess.Popen[bytes]]:
    with out.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def all_routes(folder: Path) -> Iterator[list[Route]]:
    """Starts everything: an upstream, nginx where it is installed, and a gateway a durability."""
    upstream = free_port()
    with ExitStack() as stack:
        command = [sys.executable, "-m", "tests.bench.echo_upstream", str(upstream)]
        stack.enter_context(started(command, folder / "upstream.log"))
        until_open(upstream)
        found = [Route("direct", upstream, "echo")]
        if binary := shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin"):
            found.append(stack.enter_context(nginx(binary, upstream, folder)))
        found += [
            stack.enter_context(gateway(durability, upstream, folder))
            for durability in ("written", "flushed")
        ]
        yield found


@contextmanager
def nginx(binary: str, upstream: int, folder: Path) -> Iterator[Route]:
    """A plain proxy with one worker."""
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, upstream=upstream, port=port))
    command = [binary, "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")]
    with started(command, folder / "nginx.log") as process:
        until_open(port)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield Route("nginx", port, "echo", pid=int(children[0]))


@contextmanager
def upstream_of(tools: int, folder: Path, *, legacy: bool = False) -> Iterator[Route]:
    """An upstream with so many tools, straight."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.echo_upstream", str(port), str(tools)]
    command += ["legacy"] * legacy
    with started(command, folder / f"upstream-{port}.log"):
        until_open(port)
        yield Route("direct", port, "echo")


@contextmanager
def gateway(durability: str, upstream: int, folder: Path, more: str = "") -> Iterator[Route]:
    """A gateway before this upstream; `more` is added to its configuration."""
    port = free_port()
    data = folder / durability
    data.mkdir(mode=0o700)
    text = CONFIG.format(port=port, upstream=upstream, durability=durability)
    (data / "gateway.toml").write_text(text + more)
    out = folder / f"{durability}.log"
    command = [sys.executable, "-m", "mcp_gateway", "serve", "--data", str(data)]
    with started(command, out) as process:
        until_ready(port)
        key = re.findall(r"mcpgw_[0-9a-f]{8}_[\w-]{43}", out.read_text())[0]
        yield Route(durability, port, "everything__echo", key, process.pid)


def until_ready(port: int) -> None:
    """Waits until the gateway is ready and its upstream is served."""
    begun = time.perf_counter()
    while time.perf_counter() - begun < BOUND:
        try:
            answer = httpx2.get(f"http://127.0.0.1:{port}/readyz").json()
        except (httpx2.HTTPError, json.JSONDecodeError):
            answer = {"troubles": {"not": "up"}}
        if not answer["troubles"]:
            return
        time.sleep(0.02)
    raise SystemExit("the gateway did not become ready")


def until_open(port: int) -> None:
    begun = time.perf_counter()
    while time.perf_counter() - begun < BOUND:
        try:
            httpx2.post(f"http://127.0.0.1:{port}/", content=b"{}")
        except httpx2.HTTPError:
            time.sleep(0.02)
        else:
            return
    raise SystemExit(f"nothing listens on port {port}")
