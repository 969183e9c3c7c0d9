from pathlib import Path

import pytest

from mcp_gateway.core.entry import Entry
from mcp_gateway.ledger import reader
from tests.mcp_gateway.ledger.logs import called, last_end, opened


@pytest.fixture
async def ledger(tmp_path: Path) -> Path:
    """Two logs whose entries came in turn."""
    first = await opened(tmp_path)
    second = await opened(tmp_path)
    await called(first, "c-1")
    await called(second, "c-2", "forbidden")
    await called(first, "c-3")
    await first.aclose()
    await second.aclose()
    return tmp_path


async def test_entries_of_all_logs_come_in_the_order_of_time(ledger: Path) -> None:
    lines = list(reader.entries(ledger))

    assert len({line["log"] for line in lines}) == 2
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    assert [line["call"] for line in lines if line["kind"] == "outcome"] == ["c-1", "c-2", "c-3"]


async def test_a_call_is_found_by_its_id(ledger: Path) -> None:
    assert [line["kind"] for line in reader.of_call(ledger, "c-2")] == ["intent", "outcome"]
    assert reader.of_call(ledger, "c-4") == []


async def test_entries_are_found_by_what_their_fields_hold(ledger: Path) -> None:
    def found(**wanted: str) -> list[str]:
        return [line["call"] for line in reader.matching(ledger, wanted)]

    assert found(outcome="forbidden") == ["c-2"]
    assert found(outcome="forbidden", call="c-1") == []
    assert found(method="tools", outcome="ok") == ["c-1", "c-3"]
    assert found(nothing="x") == []


async def test_entries_before_a_moment_are_left_out(ledger: Path) -> None:
    moment = reader.of_call(ledger, "c-3")[0]["time"]

    found = list(reader.matching(ledger, {}, moment))

    assert found
    assert all(line["time"] >= moment for line in found)
    assert list(reader.matching(ledger, {}, found[-1]["time"] + 1)) == []


async def test_a_live_log_ends_where_its_writer_is(tmp_path: Path) -> None:
    log = await opened(tmp_path)
    await log.append(Entry("spawn"))
    end = last_end(log.folder)
    with (log.folder / "segment-000000.log").open("r+b") as file:
        file.seek(end)
        file.write(b"\x20\0\0\0\1\2\3\4half of")

    assert [line["kind"] for line in reader.entries(tmp_path)] == ["opened", "spawn"]
    await log.aclose()


def test_where_there_is_no_ledger_there_are_no_entries(tmp_path: Path) -> None:
    assert list(reader.entries(tmp_path / "missing")) == []
