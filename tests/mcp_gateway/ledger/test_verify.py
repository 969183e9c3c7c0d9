"""Whatever is done to a ledger under a checkpoint is found, and named."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_gateway.core.entry import Entry
from mcp_gateway.core.errors import Overloaded
from mcp_gateway.ledger import files, reader, writer
from mcp_gateway.ledger.append import Durability, Log
from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.ledger.folder import LedgerDamagedError, open_log
from mcp_gateway.ledger.note import verifier_line
from mcp_gateway.ledger.verify import verify

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
MARK = b'{"name":"x","arguments":{"secret":"do-not-write-me"}}'


async def opened(ledger: Path, durability: Durability = "flushed") -> Log:
    return await open_log(ledger, "test", KEY, Commitments(b"k" * 32), durability)


async def a_call(log: Log, call: str) -> None:
    intent = await log.append(Entry("intent", call, "alice", {}, {"params": MARK}))
    body = {"intent": intent.index, "outcome": "ok"}
    await log.append(Entry("outcome", call, "alice", body, {"result": MARK}))


@pytest.fixture
async def ledger(tmp_path: Path) -> Path:
    """Ten calls, closed."""
    log = await opened(tmp_path)
    for number in range(10):
        await a_call(log, f"c{number}")
    await log.aclose()
    return tmp_path


def damage(ledger: Path) -> str:
    return "\n".join(line for report in verify(ledger) for line in report.damage)


def edited(path: Path, change: Callable[[bytearray], None]) -> None:
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)


def segment(ledger: Path) -> Path:
    return files.segment_path(files.logs(ledger)[0], 0)


@pytest.mark.requirement("ledger:damage-is-named")
async def test_what_nobody_touched_is_intact(ledger: Path) -> None:
    assert damage(ledger) == ""


@pytest.mark.requirement("ledger:damage-is-named")
async def test_a_changed_byte_is_named_with_its_entry_and_call(ledger: Path) -> None:
    place = segment(ledger).read_bytes().index(b'"call":"c3"') + 9

    def flip(content: bytearray) -> None:
        content[place] ^= 1

    edited(segment(ledger), flip)

    assert "was changed" in damage(ledger)
    assert "entry 7 (segment-000000.log" in damage(ledger)


@pytest.mark.requirement("ledger:damage-is-named")
async def test_a_log_that_lost_its_end_is_named(ledger: Path) -> None:
    place = segment(ledger).read_bytes().index(b'"call":"c8"') - 4

    def cut(content: bytearray) -> None:
        content[place:] = bytes(len(content) - place)

    edited(segment(ledger), cut)

    assert "are missing: they were signed" in damage(ledger)


@pytest.mark.requirement("ledger:damage-is-named")
async def test_a_closed_log_without_its_checkpoints_is_damaged(ledger: Path) -> None:
    for name in (files.CHECKPOINT, files.CHECKPOINTS, files.HASHES):
        (files.logs(ledger)[0] / name).unlink()

    assert "never signed" in damage(ledger)


async def test_a_whole_log_that_was_removed_is_missed(ledger: Path) -> None:
    await (await opened(ledger)).aclose()
    shutil.rmtree(files.logs(ledger)[0])

    assert "log-000001 is missing" in damage(ledger)


async def test_a_log_under_a_key_that_is_not_among_those_given_does_not_pass(
    ledger: Path,
) -> None:
    other = verifier_line("somebody/000001", Ed25519PrivateKey.generate())

    reports = verify(ledger, {"somebody/000001": other})

    assert "no key was given" in reports[0].damage[0]


@pytest.mark.requirement("ledger:recovery")
async def test_calls_in_flight_at_a_crash_are_abandoned_in_a_new_log(tmp_path: Path) -> None:
    log = await opened(tmp_path)
    await a_call(log, "done")
    await log.append(Entry("intent", "half", "alice", {}, {}))
    log.checkpoint()
    folder = log.folder
    copy = tmp_path / "copy" / folder.name
    shutil.copytree(folder, copy)

    await (await opened(copy.parent)).aclose()

    lines = list(reader.entries(copy.parent))
    abandoned = [line for line in lines if line["kind"] == "abandoned"]
    assert [line["call"] for line in abandoned] == ["half"]
    assert len({(line["log"], line["index"]) for line in lines}) == len(lines)
    assert damage(copy.parent) == ""
    await log.aclose()


@pytest.mark.requirement("ledger:recovery")
async def test_a_log_shorter_than_its_checkpoint_is_an_alarm_and_is_left_as_it_is(
    tmp_path: Path,
) -> None:
    log = await opened(tmp_path / "live")
    await a_call(log, "one")
    log.checkpoint()
    copy = tmp_path / "copy" / log.folder.name
    shutil.copytree(log.folder, copy)
    await log.aclose()
    path = files.segment_path(copy, 0)

    def flip(content: bytearray) -> None:
        content[40] ^= 1

    edited(path, flip)
    before = path.read_bytes()

    with pytest.raises(LedgerDamagedError, match="keep the folder as evidence"):
        await opened(copy.parent)
    assert path.read_bytes() == before


@pytest.mark.requirement("ledger:a-failed-write-refuses")
async def test_a_failed_write_refuses_every_call_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await opened(tmp_path)

    def full(_: files.Segment) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.Segment, "flush", full)

    with pytest.raises(Overloaded, match="No space left"):
        await log.append(Entry("intent", "c"))
    monkeypatch.undo()
    with pytest.raises(Overloaded):
        await log.append(Entry("intent", "c"))
    assert not log.healthy
    await log.aclose()


@pytest.mark.requirement("ledger:a-failed-write-refuses")
async def test_hashes_that_cannot_be_kept_refuse_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await opened(tmp_path)

    def full(descriptor: int, data: bytes, offset: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "write_all", full)

    log.checkpoint()
    with pytest.raises(Overloaded, match="No space left"):
        await log.append(Entry("intent", "c"))
    await log.aclose()


@pytest.mark.requirement("ledger:no-content")
@pytest.mark.parametrize("durability", ["flushed", "written"])
async def test_arguments_and_results_are_in_no_file(tmp_path: Path, durability: Durability) -> None:
    log = await opened(tmp_path, durability)
    await a_call(log, "c")
    await log.aclose()

    texts = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"do-not-write-me" in text for text in texts)
    assert damage(tmp_path) == ""


@pytest.mark.requirement("ledger:damage-is-named")
async def test_a_half_written_entry_of_an_open_log_is_a_note_and_no_damage(tmp_path: Path) -> None:
    log = await opened(tmp_path)
    await a_call(log, "c")
    log.checkpoint()
    end = max(found.offset + 8 + len(found.payload) for _, found in files.read_frames(log.folder))
    torn = end + (-end % 8)
    with segment(tmp_path).open("r+b") as file:
        file.seek(torn)
        file.write(b"\x40\0\0\0\1\2\3\4half")

    (report,) = verify(tmp_path)
    assert not report.damage
    assert any("half written" in note for note in report.notes)
    assert [line["kind"] for line in reader.entries(tmp_path)] == ["opened", "intent", "outcome"]
    await log.aclose()


@pytest.mark.requirement("ledger:recovery")
async def test_what_was_changed_in_a_dead_log_is_refused_and_left_as_evidence(
    tmp_path: Path,
) -> None:
    log = await opened(tmp_path / "live")
    await a_call(log, "c")
    log.checkpoint()
    dead = tmp_path / "dead"
    shutil.copytree(tmp_path / "live", dead)
    await log.aclose()
    edited(segment(dead), lambda content: content.__setitem__(20, content[20] ^ 1))
    before = segment(dead).read_bytes()

    with pytest.raises(LedgerDamagedError, match="evidence"):
        await opened(dead)
    assert segment(dead).read_bytes() == before


async def test_nobody_else_may_read_any_file_of_a_log(ledger: Path) -> None:
    modes = {path.name: path.stat().st_mode & 0o077 for path in ledger.rglob("*")}
    assert not any(modes.values()), modes


async def test_an_entry_that_would_not_fit_is_shortened_and_says_so(tmp_path: Path) -> None:
    log = await opened(tmp_path)
    await log.append(Entry("outcome", "c", "alice", {"reason": "x" * 100_000}))
    await log.aclose()

    (line,) = reader.of_call(tmp_path, "c")
    assert line["cut"] is True
    assert len(line["reason"]) == 400


async def test_an_entry_with_a_float_is_refused(tmp_path: Path) -> None:
    log = await opened(tmp_path)
    with pytest.raises(TypeError, match="whole numbers"):
        log.append(Entry("outcome", "c", body={"findings": [{"score": 0.5}]}))
    await log.append(Entry("outcome", "d"))
    await log.aclose()
    assert damage(tmp_path) == ""


@pytest.mark.requirement("ledger:recovery")
async def test_a_dead_log_of_another_key_ends_unsigned_and_is_no_damage(tmp_path: Path) -> None:
    log = await opened(tmp_path / "live")
    await a_call(log, "c")
    shutil.copytree(tmp_path / "live", tmp_path / "dead")
    await log.aclose()
    other = Ed25519PrivateKey.generate()
    fresh = await open_log(tmp_path / "dead", "test", other, Commitments(b"k" * 32))
    await fresh.aclose()

    first, _ = verify(tmp_path / "dead")
    assert damage(tmp_path / "dead") == ""
    assert any("under another key" in note for note in first.notes)


async def another_past(ledger: Path, calls: int) -> None:
    """Puts a log of the same key and name in the place of the first: signed, closed, and untrue."""
    log = await opened(ledger / "forged")
    for number in range(calls):
        await a_call(log, f"forged-{number}")
    await log.aclose()
    first = files.logs(ledger)[0]
    shutil.rmtree(first)
    files.logs(ledger / "forged")[0].rename(first)


@pytest.mark.requirement("ledger:logs-witness-each-other")
@pytest.mark.parametrize(
    ("calls", "said"),
    [
        (4, "log-000001: log-000002 witnessed 22 entries of it, 10 are there"),
        (10, "log-000001: log-000002 witnessed another root at size 22"),
        (11, "log-000001: log-000002 witnessed another root at size 22"),
    ],
)
async def test_a_past_that_was_signed_anew_is_not_what_a_later_log_witnessed(
    ledger: Path, calls: int, said: str
) -> None:
    await (await opened(ledger)).aclose()
    before = damage(ledger)
    await another_past(ledger, calls)

    assert before == ""
    assert damage(ledger) == said


@pytest.mark.requirement("ledger:logs-witness-each-other")
async def test_every_later_log_that_holds_it_names_what_is_gone(ledger: Path) -> None:
    for _ in range(2):
        await (await opened(ledger)).aclose()
    shutil.rmtree(files.logs(ledger)[0])

    assert damage(ledger).splitlines() == [
        "log-000002: it witnessed test/000001, which is missing",
        "log-000003: it witnessed test/000001, which is missing",
        "log-000001 is missing",
    ]


async def test_a_log_that_goes_on_after_it_was_witnessed_is_intact(tmp_path: Path) -> None:
    """Two processes at a time: the second one's log holds a checkpoint of the first's, at work."""
    first = await opened(tmp_path)
    await a_call(first, "before")
    first.checkpoint()
    second = await opened(tmp_path)
    await a_call(first, "after")
    await first.aclose()
    await second.aclose()

    assert damage(tmp_path) == ""


@pytest.mark.parametrize(
    "marks", ["text", {"log": "test/000001"}, ["text"], [{"log": 1, "size": "x", "root": None}]]
)
async def test_what_witnesses_nothing_that_can_be_read_is_no_reason_to_fail(
    ledger: Path, marks: object
) -> None:
    (ledger / "log-000002").mkdir()
    log = Log(ledger / "log-000002", "test/000002", KEY, Commitments(b"k" * 32))
    await log.append(Entry("opened", body={"witnessed": marks}))
    await log.aclose()

    assert damage(ledger) == ""
