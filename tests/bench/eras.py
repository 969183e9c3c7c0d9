"""Calls in both eras and between them, through one gateway: what a bridge costs."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import uvloop

from tests.bench import load, machine, routes
from tests.bench.load import Measured

WIDTH = 16
TEXT = "x" * 200
OLDER = """
[servers.older]
connector = "mcp_http"
url = "http://127.0.0.1:{older}/mcp"
"""


@dataclass
class Way:
    """From a caller of one era to an upstream of one, a figure a round."""

    name: str
    messages: list[bytes]
    p50: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def measure(self, port: int, pid: int, calls: int) -> None:
        """One round. Every answer is checked."""
        self._run(port, WIDTH * 10, WIDTH)
        self.p50.append(self._run(port, 300, 1).quantile(0.5) * 1e3)
        before = machine.cpu(pid)
        many = self._run(port, calls, WIDTH)
        self.cpu.append((machine.cpu(pid) - before) / len(many.latencies) * 1e6)

    def _run(self, port: int, calls: int, width: int) -> Measured:
        return uvloop.run(load.run(port, self.messages, load.said(TEXT), calls, width))


def measure(folder: Path, calls: int, rounds: int) -> None:
    """All four ways in turns, beside the one that is modern on both sides."""
    place = folder / "eras"
    place.mkdir()
    with ExitStack() as stack:
        modern = stack.enter_context(routes.upstream_of(1, place))
        older = stack.enter_context(routes.upstream_of(1, place, legacy=True))
        more = OLDER.format(older=older.port)
        gateway = stack.enter_context(routes.gateway("written", modern.port, place, more))
        port, key = gateway.port, gateway.key
        sessions = [load.session(port, key) for _ in range(WIDTH)]
        ways = [
            Way(
                f"{caller} caller, {upstream} upstream",
                [said(port, key, tool, TEXT) for said in how],
            )
            for upstream, tool in (("modern", "everything__echo"), ("older", "older__echo"))
            for caller, how in (
                ("modern", [load.request]),
                ("older", [s.request for s in sessions]),
            )
        ]
        for number in range(rounds):
            for way in ways[number % 4 :] + ways[: number % 4]:
                way.measure(port, gateway.pid, calls)
    print(f"\n{len(TEXT)} B between the eras, `written`")
    for way in ways:
        ratio = median(cpu / base for cpu, base in zip(way.cpu, ways[0].cpu, strict=True))
        print(
            f"  {way.name:29} one caller: p50 {median(way.p50):.3f} ms | {WIDTH} callers: "
            f"CPU {median(way.cpu):4.0f} us a call, {ratio:.2f} of modern on both sides"
        )
