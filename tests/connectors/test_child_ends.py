"""How children end: by themselves, when they are told to, and with the gateway."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from connectors import child as children
from connectors.child import Child, ended
from tests.connectors.children import command, finished, python
from tests.support.fakes import FakeLedger
from tests.support.waiting import reaped, running, until

ROOT = Path(__file__).parents[2]

FORKS = """
    import os, pathlib, signal, sys, time
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pathlib.Path("grandchild").write_text(str(os.getpid()))
        time.sleep(600)
    while not pathlib.Path("grandchild").exists():
        time.sleep(0.01)
    {then}
"""


async def grandchild(folder: Path) -> int:
    file = folder / "own" / "grandchild"
    await until(lambda: file.exists() and file.read_text("utf-8"))
    return int(file.read_text("utf-8"))


@pytest.mark.requirement("children:nothing-is-left-running")
async def test_what_a_child_started_ends_with_it(tmp_path: Path) -> None:
    made = python(tmp_path, FORKS.format(then="time.sleep(600)"))
    child = await Child.spawn(made, FakeLedger(), piped=False)
    pid = await grandchild(tmp_path)

    await child.aclose()

    await until(lambda: not running(pid))
    assert child.end == "was stopped"


@pytest.mark.requirement("children:nothing-is-left-running")
async def test_what_a_child_left_behind_does_not_outlive_it(tmp_path: Path) -> None:
    child = await finished(python(tmp_path, FORKS.format(then="sys.exit(0)")))

    pid = await grandchild(tmp_path)
    await until(lambda: not running(pid))
    assert child.end == "ended with exit code 0"


@pytest.mark.requirement("children:nothing-is-left-running")
async def test_a_child_that_takes_no_notice_is_killed_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "GRACE", 0.2)
    monkeypatch.setattr(children, "PATIENCE", 0.2)
    program = """
        import signal, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("deaf", flush=True)
        while True:
            time.sleep(600)
    """
    child = await Child.spawn(python(tmp_path, program), FakeLedger(), piped=True)
    assert child.streams.heard is not None
    assert await child.streams.heard.readline() == b"deaf\n"

    started = time.monotonic()
    await child.aclose()

    assert time.monotonic() - started < 3
    assert not child.alive
    assert reaped(child.process.pid)


async def test_a_child_that_sees_the_end_of_its_input_is_sent_no_signal(tmp_path: Path) -> None:
    ledger = FakeLedger()
    program = "import sys; sys.stdin.read(); sys.exit(7)"
    child = await Child.spawn(python(tmp_path, program), ledger, piped=True)

    await child.aclose()

    assert ledger.last.body["code"] == 7


async def test_closing_again_or_at_once_from_two_sides_changes_nothing(tmp_path: Path) -> None:
    ledger = FakeLedger()
    child = await Child.spawn(command(tmp_path, "/bin/sleep", "600"), ledger, piped=False)

    await asyncio.gather(child.aclose(), child.aclose())
    await child.aclose()

    assert ledger.kinds == ["spawn", "child.ended"]
    assert reaped(child.process.pid)


async def test_a_closing_that_is_cancelled_kills(tmp_path: Path) -> None:
    program = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("deaf", flush=True)
        time.sleep(600)
    """
    child = await Child.spawn(python(tmp_path, program), FakeLedger(), piped=True)
    assert child.streams.heard is not None
    await child.streams.heard.readline()
    closing = asyncio.ensure_future(child.aclose())
    await asyncio.sleep(0)

    closing.cancel()

    await until(lambda: child.end)


@pytest.mark.requirement("children:nothing-is-left-running")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_a_gateway_that_is_killed_leaves_no_children(tmp_path: Path) -> None:
    program = f"""
        import asyncio, pathlib
        from connectors.child import Child, Command
        from tests.support.fakes import FakeLedger

        async def main():
            made = Command("up", ["/bin/sleep", "600"], pathlib.Path({str(tmp_path)!r}))
            child = await Child.spawn(made, FakeLedger(), piped=False)
            print(child.process.pid, flush=True)
            await asyncio.sleep(600)

        asyncio.run(main())
    """
    gateway = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert gateway.stdout is not None
    pid = int(gateway.stdout.readline())
    late = time.monotonic() + 10
    while b"launcher" in Path(f"/proc/{pid}/cmdline").read_bytes() and time.monotonic() < late:
        time.sleep(0.01)

    gateway.kill()
    gateway.wait()
    gateway.stdout.close()

    while running(pid) and time.monotonic() < late:
        time.sleep(0.01)
    assert not running(pid)


@pytest.mark.requirement("children:last-words")
async def test_the_end_of_a_child_is_logged_with_its_last_words_and_none_of_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TOKEN", "s3cr3t-t0k3n")
    caplog.set_level(logging.DEBUG)
    program = """
        import os, sys
        print("on its output:", os.environ["TOKEN"])
        sys.exit("no way in with " + os.environ["TOKEN"])
    """

    child = await finished(python(tmp_path, program, environment=("TOKEN",)))

    assert "no way in with [hidden]" in str(child.words)
    assert "on its output: [hidden]" in str(child.words)
    assert "up ended with exit code 1; its last words" in caplog.text
    assert "s3cr3t" not in caplog.text + repr(child.words) + str(child.words)


@pytest.mark.requirement("children:last-words")
async def test_a_child_that_floods_its_standard_error_is_slowed_and_can_be_stopped(
    tmp_path: Path,
) -> None:
    program = """
        import sys
        while True:
            sys.stderr.write("x" * 100 + "\\n")
    """
    child = await Child.spawn(python(tmp_path, program), FakeLedger(), piped=True)
    await until(lambda: str(child.words))

    turns = 0
    async with asyncio.timeout(5):
        while turns < 50:  # others get their turn meanwhile
            await asyncio.sleep(0.001)
            turns += 1
    await child.aclose()

    assert len(str(child.words)) < 20 * 301


async def test_whoever_asks_is_told_of_the_end_once_also_when_it_has_come(tmp_path: Path) -> None:
    told: list[str] = []
    child = await Child.spawn(command(tmp_path, "/bin/true"), FakeLedger(), piped=False)
    child.on_end(lambda: told.append("in time"))
    await until(lambda: child.end)
    await child.aclose()

    child.on_end(lambda: told.append("late"))

    assert told == ["in time", "late"]


async def test_a_signal_that_ended_a_child_is_named(tmp_path: Path) -> None:
    child = await Child.spawn(command(tmp_path, "/bin/sleep", "600"), FakeLedger(), piped=False)

    os.kill(child.process.pid, signal.SIGKILL)

    await until(lambda: child.end)
    assert child.end == "was ended by SIGKILL"
    await child.aclose()


def test_a_signal_without_a_name_is_told_by_its_number() -> None:
    assert ended(-64) == "was ended by SIGRTMAX"
    assert ended(-99) == "was ended by signal 99"
