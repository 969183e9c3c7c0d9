import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_gateway.core.entry import Entry
from mcp_gateway.ledger import files
from mcp_gateway.ledger.append import Log
from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.ledger.folder import open_log
from mcp_gateway.ledger.note import verifier_line
from tests.mcp_gateway.cli.conftest import run
from tests.support.process import ROOT, until

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


async def opened(data: Path) -> Log:
    return await open_log(data / "ledger", "test", KEY, Commitments(b"k" * 32))


async def a_call(
    log: Log, call: str, subject: str = "ada", rule: str = "desk", outcome: str = "ok"
) -> None:
    body: dict[str, Any] = {
        "subject": subject,
        "method": "tools/call",
        "target": "tool/orders/list",
        "rule": rule,
    }
    await log.append(Entry("intent", call, body=body))
    await log.append(Entry("outcome", call, body={**body, "outcome": outcome, "micros": 1500}))


async def written(data: Path) -> None:
    log = await opened(data)
    for number in range(3):
        await a_call(log, f"c{number}")
    await a_call(log, "c3", "eve", outcome="forbidden", rule="no-refunds")
    await log.aclose()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A ledger of four calls, closed."""
    asyncio.run(written(tmp_path))
    return tmp_path


def lines(*words: str) -> list[str]:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


@pytest.mark.requirement("cli:verify")
def test_an_intact_ledger_says_what_is_proved_and_what_cannot_be_known(data: Path) -> None:
    said = lines("verify", str(data / "ledger"))

    assert said[0] == "log-000001: intact: 10 entries, 10 of them under 1 checkpoints"
    assert said[1] == "What this cannot show:"
    assert len(said) > 2


@pytest.mark.requirement("cli:verify")
def test_a_damaged_ledger_is_named_and_ends_with_1(data: Path) -> None:
    segment = files.segment_path(files.logs(data / "ledger")[0], 0)
    content = bytearray(segment.read_bytes())
    content[content.index(b'"call":"c1"') + 8] ^= 1
    segment.write_bytes(content)
    result = run("verify", str(data / "ledger"))

    assert result.exit_code == 1
    assert "log-000001: DAMAGED: " in result.output
    assert re.search(r"  log-000001: entry 3 \(.*\) was changed", result.output)


@pytest.mark.requirement("cli:verify")
def test_no_ledger_ends_with_2(tmp_path: Path) -> None:
    result = run("verify", str(tmp_path / "none"))

    assert result.exit_code == 2
    assert "holds no log" in result.output


@pytest.mark.requirement("cli:verify")
def test_keys_that_were_kept_elsewhere_count_instead(data: Path, tmp_path: Path) -> None:
    ledger, kept = str(data / "ledger"), tmp_path / "keys"
    kept.write_text("\n" + verifier_line("test/000001", KEY) + "\n\n")
    mine = run("verify", ledger, "--key", str(kept))
    kept.write_text(verifier_line("test/000001", Ed25519PrivateKey.generate()))
    others = run("verify", ledger, "--key", str(kept))
    kept.write_text("no key")
    none = run("verify", ledger, "--key", str(kept))

    assert [result.exit_code for result in (mine, others, none)] == [0, 1, 2]
    assert "no line of the checkpoint is signed by the key" in others.output
    assert "not a verifier key" in none.output


@pytest.mark.requirement("cli:audit")
def test_the_last_entries_are_a_line_each(data: Path) -> None:
    said = lines("audit", "tail", "--data", str(data), "-n", "3")

    assert len(said) == 3
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  intent +eve +tools/call tool/orders/list  "
        r"rule no-refunds  c3",
        said[0],
    )
    assert re.search(r"  forbidden +eve +.*  rule no-refunds  1\.5 ms  c3$", said[1])
    assert re.search(r"  closed +- ", said[2])


@pytest.mark.requirement("cli:audit")
def test_entries_can_be_had_as_json(data: Path) -> None:
    (last,) = (
        json.loads(line)
        for line in lines("audit", "tail", "--data", str(data), "-n", "1", "--json")
    )

    assert (last["kind"], last["index"], last["log"]) == ("closed", 9, "test/000001")


@pytest.mark.requirement("cli:audit")
@pytest.mark.parametrize(
    ("words", "calls"),
    [
        (["--call", "c1"], ["c1", "c1"]),
        (["--principal", "eve"], ["c3", "c3"]),
        (["--target", "orders/li", "--outcome", "ok"], ["c0", "c1", "c2"]),
        (["--rule", "no-refunds", "--outcome", "forbidden"], ["c3"]),
        (["--since", "1h", "--call", "c0"], ["c0", "c0"]),
        (["--since", "2020-01-01T00:00", "--call", "c0"], ["c0", "c0"]),
        (["--since", "2099-01-01", "--call", "c0"], []),
        (["--since", "2099-01-01T00:00:00+02:00"], []),
        (["--principal", "nobody"], []),
    ],
)
def test_entries_are_found_by_every_option_that_is_given(
    data: Path, words: list[str], calls: list[str]
) -> None:
    found = [
        json.loads(line) for line in lines("audit", "search", "--data", str(data), "--json", *words)
    ]

    assert [line["call"] for line in found] == calls


@pytest.mark.requirement("cli:audit")
def test_every_entry_of_one_call_is_shown_whole(data: Path) -> None:
    said = "\n".join(lines("audit", "show", "--data", str(data), "c3"))
    missing = run("audit", "show", "--data", str(data), "none")

    assert said.count('"call": "c3"') == 2
    assert (missing.exit_code, missing.output) == (1, "Error: the ledger has no call 'none'\n")


@pytest.mark.requirement("cli:bad-input-ends-in-words")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tail", "-n", "x"], "'x' is not a valid integer"),
        (["search", "--since", "yesterday"], "'yesterday' is no time: write"),
        (["search", "--since", "5x"], "'5x' is no time"),
        (["search", "--since", "h"], "'h' is no time"),
        (["show"], "Missing argument 'CALL'"),
        (["frobnicate"], "No such command"),
    ],
)
def test_bad_input_to_audit_ends_in_words(data: Path, words: list[str], said: str) -> None:
    given = ["--data", str(data)] if words != ["frobnicate"] else []
    result = run("audit", words[0], *given, *words[1:])

    assert (result.exit_code, said in result.output) == (2, True), result.output


@pytest.mark.requirement("cli:bad-input-ends-in-words")
@pytest.mark.parametrize("words", [["tail"], ["search"], ["show", "c"]])
def test_a_folder_without_a_ledger_is_not_like_an_empty_one(
    tmp_path: Path, words: list[str]
) -> None:
    result = run("audit", words[0], "--data", str(tmp_path), *words[1:])

    assert result.exit_code == 2
    assert "holds no log" in result.output


@pytest.mark.requirement("cli:says-what-strangers-wrote-plainly")
async def test_what_strangers_wrote_moves_no_terminal(tmp_path: Path) -> None:
    log = await opened(tmp_path)
    await log.append(
        Entry(
            "outcome",
            "c",
            body={"subject": "\x1b[2J\nforged", "method": "x\u202e", "outcome": "ok"},
        )
    )
    await log.append(Entry("configuration.refused", body={"reason": "\x1b]0;title\x07"}))
    await log.aclose()
    said = run("audit", "tail", "--data", str(tmp_path)).output

    assert len(said.splitlines()) == 4
    assert "\\u001b[2J\\u000aforged" in said
    assert not {"\x1b", "\u202e", "\x07"} & set(said)


def test_times_are_shown_as_utc(data: Path) -> None:
    moment = datetime.now(UTC).strftime("%Y-%m-%d %H:")

    assert lines("audit", "tail", "--data", str(data), "-n", "1")[0].startswith(moment)


@pytest.fixture
def follower(data: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    out = data / "out"
    with out.open("wb") as to:
        process = subprocess.Popen(
            [sys.executable, "-m", "mcp_gateway", "audit", "tail", "--follow", "--data", str(data)],
            cwd=ROOT,
            stdout=to,
        )
    yield process, out
    process.send_signal(signal.SIGINT)
    process.wait(20)


@pytest.mark.requirement("cli:audit")
async def test_entries_are_followed_as_they_come_also_those_of_a_new_log(
    data: Path, follower: tuple[subprocess.Popen[bytes], Path]
) -> None:
    _, out = follower
    await until(lambda: "c3" in out.read_text())
    log = await opened(data)
    await a_call(log, "later")
    await until(lambda: out.read_text().count("later") == 2)
    await log.aclose()
    await until(lambda: out.read_text().count("closed") == 2)

    assert out.read_text().count("opened") == 2


def test_a_reader_that_has_seen_enough_is_no_fault(data: Path) -> None:
    command = f"{sys.executable} -m mcp_gateway audit tail --data {data} -n 99 | head -n 1"
    done = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr


async def test_a_log_is_verified_while_it_is_written(tmp_path: Path) -> None:
    log = await opened(tmp_path)
    await a_call(log, "c")
    log.checkpoint()
    shutil.copytree(tmp_path / "ledger", tmp_path / "copy")
    said = lines("verify", str(tmp_path / "copy"))
    await log.aclose()

    assert said[0].startswith("log-000001: intact")
    assert "  the log is open, or its process ended without closing it" in said
