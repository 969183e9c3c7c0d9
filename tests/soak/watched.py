"""What can be seen of a gateway from outside: its open files, its metrics, its ledger."""

import re
from collections import Counter
from pathlib import Path

from tests.support.served import Served


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def counted(metrics: str) -> Counter[str]:
    """Calls by outcome, as the gateway's metrics have them."""
    calls: Counter[str] = Counter()
    pattern = r'^mcp_gateway_calls_total\{.*outcome="(\w+)".*\} ([\d.e+]+)$'
    for outcome, count in re.findall(pattern, metrics, re.MULTILINE):
        calls[outcome] += int(float(count))
    return calls


def recorded(gateway: Served) -> Counter[str]:
    """Calls by outcome, as the ledger has them."""
    return Counter(line["outcome"] for line in gateway.entries("outcome"))
