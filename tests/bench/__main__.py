"""`make bench`: the path of a call, beside the same calls without a gateway and through nginx.

Times are noisy on shared machines. So all paths are measured in turns, round by round, and each
figure is the median of its rounds; judge by CPU per call, by ratios, and by the calibration loop.
"""

import argparse
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import uvloop

from tests.bench import eras, lists, load, machine
from tests.bench.routes import Route, all_routes

SIZES = (200, 4096, 65_536)
WIDTH = 16


@dataclass
class Row:
    """What was measured of one path, a figure a round."""

    path: Route
    p50: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def measure(self, size: int, calls: int) -> None:
        """One round. Every answer is checked."""
        path, text = self.path, "x" * size
        message, wanted = load.request(path.port, path.key, path.tool, text), load.said(text)
        uvloop.run(load.run(path.port, message, wanted, WIDTH * 10, WIDTH))
        single = uvloop.run(load.run(path.port, message, wanted, min(300, calls), 1))
        before = machine.cpu(path.pid) if path.pid else 0.0
        many = uvloop.run(load.run(path.port, message, wanted, calls, WIDTH))
        after = machine.cpu(path.pid) if path.pid else 0.0
        self.p50.append(single.quantile(0.5) * 1e3)
        self.rate.append(len(many.latencies) / many.seconds)
        self.cpu.append((after - before) / len(many.latencies) * 1e6)


def compare(paths: list[Route], size: int, calls: int, rounds: int) -> None:
    """All paths in turns, and their medians."""
    rows = [Row(path) for path in paths]
    speed = []
    for number in range(rounds):
        for row in rows[number % len(rows) :] + rows[: number % len(rows)]:
            row.measure(size, calls)
        speed.append(machine.calibration())
    print(f"\n{size} B, {calls} calls a round; calibration {median(speed):.0f} ms")
    plain = next((median(row.rate) for row in rows if row.path.name == "nginx"), 0.0)
    straight = median(rows[0].p50)
    for row in rows:
        share = f", {median(row.rate) / plain:.0%} of nginx" if plain else ""
        print(
            f"  {row.path.name:8} one caller: p50 {median(row.p50):.3f} ms "
            f"(added {median(row.p50) - straight:.3f}) | {WIDTH} callers: "
            f"{median(row.rate):6.0f} calls/s{share}, CPU {median(row.cpu):4.0f} us a call "
            f"(best {min(row.cpu):.0f})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--calls", type=int, default=3200, help="a round, at 200 B")
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        with all_routes(folder) as paths:
            if not any(path.name == "nginx" for path in paths):
                print("nginx is not installed (Debian: nginx-light): nothing to compare with")
            for size in SIZES:
                compare(paths, size, max(asked.calls * 200 // size, 800), asked.rounds)
            eras.measure(folder, asked.calls // 2, asked.rounds)
            lists.measure(folder, asked.rounds)
            taken = sorted(machine.flush(folder))
            print(f"\none entry to disk: p50 {taken[len(taken) // 2] * 1e3:.3f} ms")
            for path in paths:
                if path.key != "none":
                    print(f"{path.name}: {machine.memory(path.pid):.0f} MiB of own memory (PSS)")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
