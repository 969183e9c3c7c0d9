"""What this machine can do just now: figures are read beside these."""

import os
import re
import tempfile
import time
from pathlib import Path

ENTRY = 800
"""Bytes of an entry of the ledger, about."""


def calibration() -> float:
    """Milliseconds of CPU that a fixed loop takes."""
    started = time.process_time()
    total = 0
    for number in range(1_000_000):
        total += number * number
    return (time.process_time() - started) * 1e3


def flush(folder: Path, times: int = 50) -> list[float]:
    """Seconds that each write of one entry takes to be on the disk of this folder."""
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        os.pwrite(file.fileno(), bytes(1024 * 1024), 0)
        os.fsync(file.fileno())
        taken = []
        for number in range(times):
            started = time.perf_counter()
            os.pwrite(file.fileno(), b"x" * ENTRY, number * ENTRY)
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - started)
    return taken


def cpu(pid: int) -> float:
    """Seconds of user and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def allocated(pid: int) -> float:
    """MiB that a process has for itself alone: what it shares counts more when others end."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.findall(r"^Anonymous: +(\d+)", rollup, re.MULTILINE)[0]) / 1024


def memory(pid: int) -> float:
    """MiB of the process's own memory (PSS)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.findall(r"^Pss:\s+(\d+)", text, re.MULTILINE)[0]) / 1024
