from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_gateway.cli.following import Following
from mcp_gateway.core.entry import Entry
from mcp_gateway.ledger import files
from mcp_gateway.ledger.append import Log
from mcp_gateway.ledger.commitment import Commitments

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def opened(ledger: Path, number: int) -> Log:
    folder = ledger / f"log-{number:06}"
    folder.mkdir()
    return Log(folder, f"test/{number}", KEY, Commitments(b"k" * 32), segment_size=2048)


async def test_each_entry_comes_once_over_segments_and_logs(tmp_path: Path) -> None:
    following, first, second = Following(tmp_path), opened(tmp_path, 1), opened(tmp_path, 2)
    seen, calls = [], [f"c{number}" for number in range(90)]
    for number, call in enumerate(calls):
        log = first if number % 3 else second
        await log.append(Entry("outcome", call, body={"subject": "ada"}))
        if number % 7 == 0:
            seen += [line["call"] for line in following.fresh()]
    seen += [line["call"] for line in following.fresh()]

    assert seen == calls
    assert list(following.fresh()) == []
    assert len(list(files.logs(tmp_path)[0].glob(files.SEGMENTS))) > 2
    await first.aclose()
    await second.aclose()


async def test_an_entry_that_is_half_written_is_waited_for(tmp_path: Path) -> None:
    log = opened(tmp_path, 1)
    following = Following(tmp_path)
    await log.append(Entry("outcome", "whole"))
    await log.append(Entry("outcome", "half"))
    path = files.segment_path(log.folder, 0)
    content = path.read_bytes()
    torn = bytearray(content)
    torn[torn.index(b'"half"') + 1] ^= 1
    path.write_bytes(torn)
    before = [line["call"] for line in following.fresh()]
    path.write_bytes(content)

    assert before == ["whole"]
    assert [line["call"] for line in following.fresh()] == ["half"]
    await log.aclose()
