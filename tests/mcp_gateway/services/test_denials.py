import os
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_gateway.core.entry import Entry
from mcp_gateway.edge.ids import Ids
from mcp_gateway.ledger import files
from mcp_gateway.ledger.append import Log
from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.services import denials
from mcp_gateway.services.denials import IN_TIME, outcome_of

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
HOUR = 3600


def opened(ledger: Path, number: int, ago: float = 0) -> Log:
    """A log of small segments, whose clock is so many seconds behind."""
    folder = ledger / f"log-{number:06}"
    folder.mkdir(parents=True)
    return Log(
        folder,
        f"test/{number:06}",
        KEY,
        Commitments(b"k" * 32),
        segment_size=4096,
        clock=lambda: time.time_ns() - int(ago * 1e9),
    )


def an_id(ago: float = 0) -> str:
    return Ids(clock=lambda: time.time_ns() - int(ago * 1e9)).new()


async def recorded(log: Log, *calls: str) -> None:
    for call in calls:
        await log.append(Entry("intent", call, body={"subject": "ada"}))
        await log.append(Entry("outcome", call, body={"subject": "ada", "outcome": "ok"}))


async def test_the_outcome_of_a_call_is_found_among_others(tmp_path: Path) -> None:
    log, calls = opened(tmp_path, 1), [an_id() for _ in range(60)]
    await recorded(log, *calls)
    await log.append(Entry("outcome", an_id(), body={"parent": calls[59]}))

    for call in (calls[0], calls[30], calls[59]):
        line = outcome_of(tmp_path, call)
        assert line is not None
        assert (line["call"], line["kind"]) == (call, "outcome")
    assert len(list(files.logs(tmp_path)[0].glob(files.SEGMENTS))) > 3
    await log.aclose()


@pytest.mark.parametrize(
    "call", ["", "c-1", "z" * 27, "1a20b6b02913db0a505ab06bb8b" * 2, "../../x"]
)
async def test_what_is_no_id_of_a_call_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def read(*_: object) -> None:
        raise AssertionError("the ledger was read")

    monkeypatch.setattr(files, "logs", read)

    assert outcome_of(tmp_path, call) is None


async def test_a_call_that_has_not_ended_has_no_outcome(tmp_path: Path) -> None:
    log, call = opened(tmp_path, 1), an_id()
    await log.append(Entry("intent", call))

    assert outcome_of(tmp_path, call) is None
    assert outcome_of(tmp_path, an_id()) is None
    await log.aclose()


@pytest.mark.requirement("denials:asking-is-cheap")
async def test_only_what_was_recorded_about_that_time_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_call, new_call = an_id(2 * HOUR), an_id()
    old, new = opened(tmp_path, 1, ago=2 * HOUR), opened(tmp_path, 2)
    await recorded(old, old_call)
    await recorded(new, new_call)
    await old.aclose()
    await new.aclose()
    for path in files.logs(tmp_path)[0].glob(files.SEGMENTS):
        os.utime(path, (time.time() - 2 * HOUR,) * 2)
    read: list[str] = []

    def about(ledger: Path, began: int) -> list[Path]:
        found = list(real(ledger, began))
        read.extend(path.parent.name for path in found)
        return found

    real = denials._about
    monkeypatch.setattr(denials, "_about", about)

    assert outcome_of(tmp_path, new_call) is not None
    assert set(read) == {"log-000002"}
    read.clear()
    assert outcome_of(tmp_path, old_call) is not None
    assert set(read) == {"log-000001"}


async def test_a_call_that_took_long_is_found_within_its_bound(tmp_path: Path) -> None:
    call = an_id(IN_TIME / 1000 - 30)
    log = opened(tmp_path, 1)
    await recorded(log, call)

    assert outcome_of(tmp_path, call) is not None
    await log.aclose()


async def test_a_segment_that_is_empty_or_torn_hides_no_other(tmp_path: Path) -> None:
    log, call = opened(tmp_path, 2), an_id()
    await recorded(log, call)
    await log.aclose()
    (tmp_path / "log-000001").mkdir()
    files.segment_path(tmp_path / "log-000001", 0).write_bytes(bytes(64))
    files.segment_path(tmp_path / "log-000001", 1).write_bytes(b"\x10\0\0\0torn" + bytes(64))

    assert outcome_of(tmp_path, call) is not None
