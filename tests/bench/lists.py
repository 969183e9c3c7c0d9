"""Lists of many tools, and calls among few and many: what a catalog costs its callers."""

from contextlib import ExitStack
from pathlib import Path
from statistics import median

import uvloop

from tests.bench import load, machine, routes
from tests.bench.routes import Route

MANY = 1000
FEW, MOST = 10, 10_000
CALLS = 100


def measure(folder: Path, rounds: int) -> None:
    """`tools/list` of 1,000 tools beside direct, and `tools/call` among 10 and 10,000."""
    with ExitStack() as stack:
        found = {}
        for tools in (FEW, MANY, MOST):
            place = folder / f"tools-{tools}"
            place.mkdir()
            direct = stack.enter_context(routes.upstream_of(tools, place))
            found[tools] = (
                direct,
                stack.enter_context(routes.gateway("written", direct.port, place)),
            )
        print(f"\ntools/list of {MANY} tools, one caller")
        for route in found[MANY]:
            before = machine.cpu(route.pid) if route.pid else 0.0
            listed = [_listed(route) for _ in range(rounds)]
            spent = machine.cpu(route.pid) - before if route.pid else 0.0
            shown = f"p50 {median(listed):.3f} ms, CPU {spent / rounds / CALLS * 1e3:.3f} ms a list"
            print(f"  {route.name:8} {shown}")
        print("\ntools/call of 200 B, one caller")
        few, most = list[float](), list[float]()
        for _ in range(rounds):  # in turns: the machine is not alike at all times
            few.append(_called(found[FEW][1]))
            most.append(_called(found[MOST][1]))
        for tools, taken in ((FEW, few), (MOST, most)):
            print(f"  {tools:6} tools: p50 {median(taken):.3f} ms")


def _listed(route: Route) -> float:
    name = "everything__tool_999" if route.pid else "tool_999"
    message = load.listing(route.port, route.key)
    wanted = f'"name":"{name}"'.encode()
    return uvloop.run(load.run(route.port, message, wanted, CALLS, 1)).quantile(0.5) * 1e3


def _called(route: Route) -> float:
    text = "x" * 200
    message = load.request(route.port, route.key, route.tool, text)
    measured = uvloop.run(load.run(route.port, message, load.said(text), 3 * CALLS, 1))
    return measured.quantile(0.5) * 1e3
