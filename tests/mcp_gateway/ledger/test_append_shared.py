"""Entries of one turn of the loop share writes and flushes, and none is lost between two."""

import asyncio
import os
from pathlib import Path

import pytest

from mcp_gateway.core.entry import Entry, Receipt
from mcp_gateway.ledger import reader
from mcp_gateway.ledger.append import Durability
from tests.mcp_gateway.ledger.logs import BOTH, damage, opened

either = pytest.mark.parametrize("durability", BOTH)


@either
async def test_many_that_append_at_once_share_flushes_and_keep_their_order(
    tmp_path: Path, durability: Durability
) -> None:
    log = await opened(tmp_path, durability)

    async def one(number: int) -> Receipt:
        return await log.append(Entry("spawn", body={"n": number}))

    receipts = await asyncio.gather(*map(one, range(200)))
    await log.aclose()

    assert [receipt.index for receipt in receipts] == list(range(1, 201))
    found = [line["n"] for line in reader.entries(tmp_path) if line["kind"] == "spawn"]
    assert found == list(range(200))


@either
async def test_what_one_turn_of_the_loop_appends_leaves_in_few_writes(
    tmp_path: Path, durability: Durability, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await opened(tmp_path, durability)
    written: list[int] = []
    write = os.pwrite

    def counting(descriptor: int, data: bytes, offset: int) -> int:
        written.append(len(data))
        return write(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", counting)
    await asyncio.gather(*(log.append(Entry("spawn", body={"n": n})) for n in range(100)))
    shared = len(written)
    monkeypatch.undo()
    await log.aclose()

    assert shared <= 3  # its entries, and hashes that were due


async def test_what_is_appended_while_a_flush_begins_is_in_the_file_and_in_the_tree(
    tmp_path: Path,
) -> None:
    log = await opened(tmp_path, "written")
    first = asyncio.ensure_future(log.append(Entry("spawn", body={"n": 1})))
    log._flush()  # the clock of the flush may strike before the turn is over
    second = asyncio.ensure_future(log.append(Entry("spawn", body={"n": 2})))
    assert [(await one).index for one in (first, second)] == [1, 2]
    await log.aclose()

    assert [line["n"] for line in reader.entries(tmp_path) if line["kind"] == "spawn"] == [1, 2]
    assert damage(tmp_path) == ""
