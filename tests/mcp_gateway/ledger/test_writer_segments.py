"""What the writer leaves on the disk: segments of one size, one after the other, and hashes."""

import json
from pathlib import Path

import pytest

from mcp_gateway.core.entry import Entry
from mcp_gateway.ledger import files, merkle
from mcp_gateway.ledger.append import Durability, Log
from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.ledger.verify import verify
from tests.mcp_gateway.ledger.logs import BOTH, KEY, SECRET, a_disk_that_takes_no_more

SIZE = 4096
either = pytest.mark.parametrize("durability", BOTH)


def small(folder: Path, durability: Durability) -> Log:
    """A log of small segments."""
    folder.mkdir(parents=True)
    commitments = Commitments(SECRET)
    return Log(folder, "test/000001", KEY, commitments, durability=durability, segment_size=SIZE)


def segments(log: Log) -> list[Path]:
    return sorted(log.folder.glob(files.SEGMENTS))


@pytest.mark.requirement("ledger:segments-roll-over")
@either
async def test_entries_go_on_in_the_next_segment_when_one_is_full(
    tmp_path: Path, durability: Durability
) -> None:
    log = small(tmp_path / "log-000001", durability)
    for number in range(100):
        await log.append(Entry("spawn", body={"n": number, "words": "x" * 300}))
    await log.aclose()

    found = [json.loads(each.payload) for _, each in files.read_frames(log.folder)]
    assert [line["index"] for line in found] == list(range(101))
    assert len(segments(log)) > 5
    assert [path.stat().st_size for path in segments(log)[:-1]] == [SIZE] * (len(segments(log)) - 1)
    (report,) = verify(tmp_path)
    assert (report.damage, report.entries, report.signed) == ([], 101, 101)


@pytest.mark.requirement("ledger:segments-roll-over")
@either
async def test_many_at_once_that_do_not_fit_one_segment_are_parted_between_entries(
    tmp_path: Path, durability: Durability
) -> None:
    log = small(tmp_path / "log-000001", durability)
    waiting = [log.append(Entry("spawn", body={"words": "x" * (n * 7)})) for n in range(200)]
    receipts = [await each for each in waiting]
    await log.aclose()

    assert [receipt.index for receipt in receipts] == list(range(200))
    assert all(found.sound for _, found in files.read_frames(log.folder))
    assert verify(tmp_path)[0].damage == []


@either
async def test_the_last_segment_gives_back_what_it_did_not_need(
    tmp_path: Path, durability: Durability
) -> None:
    log = small(tmp_path / "log-000001", durability)
    assert segments(log)[0].stat().st_size == SIZE
    await log.append(Entry("spawn"))
    await log.aclose()

    (path,) = segments(log)
    last = [found for _, found in files.read_frames(log.folder)][-1]
    assert 0 <= path.stat().st_size - (last.offset + 8 + len(last.payload)) < 8


@either
async def test_the_hashes_are_those_of_the_entries(tmp_path: Path, durability: Durability) -> None:
    log = small(tmp_path / "log-000001", durability)
    for _ in range(30):
        await log.append(Entry("spawn", body={"words": "x" * 300}))
    await log.aclose()

    payloads = [found.payload for _, found in files.read_frames(log.folder)]
    assert files.read_hashes(log.folder) == [merkle.leaf_hash(payload) for payload in payloads]


@pytest.mark.requirement("ledger:a-failed-write-refuses")
@either
async def test_a_log_that_could_not_go_on_ends_at_its_last_whole_entry(
    tmp_path: Path, durability: Durability
) -> None:
    log = small(tmp_path / "log-000001", durability)
    await log.append(Entry("spawn"))
    with a_disk_that_takes_no_more():
        with pytest.raises(Exception, match="cannot record this call"):
            await log.append(Entry("spawn"))
        await log.aclose()

    assert [found.sound for _, found in files.read_frames(log.folder)] == [True]
    assert verify(tmp_path)[0].damage == []
    assert not (log.folder / files.END).exists()


@pytest.mark.requirement("ledger:a-failed-write-refuses")
@either
async def test_a_next_segment_that_cannot_be_made_refuses(
    tmp_path: Path, durability: Durability
) -> None:
    log = small(tmp_path / "log-000001", durability)
    await log.append(Entry("spawn", body={"words": "x" * 1500}))
    files.segment_path(log.folder, 1).mkdir()

    with pytest.raises(Exception, match="cannot record this call"):
        await log.append(Entry("spawn", body={"words": "x" * 3000}))
    assert not log.healthy
    await log.aclose()
