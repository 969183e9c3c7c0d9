"""Children: what they get, what they cannot do, and how they end. The programs here are real."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from connectors import child as children
from connectors.child import Child, Command, ended
from mcp_gateway.core.errors import Overloaded, UpstreamFailed
from tests.support.fakes import FakeLedger
from tests.support.waiting import reaped, running, until

ROOT = Path(__file__).parents[2]


def command(folder: Path, *words: str, **limits: Any) -> Command:
    return Command("up", words, folder / "own", **limits)


def python(folder: Path, program: str, **limits: Any) -> Command:
    """A child that runs this program."""
    script = folder / "program.py"
    script.write_text(textwrap.dedent(program), "utf-8")
    return command(folder, sys.executable, str(script), **limits)


async def spoken(made: Command) -> bytes:
    """All that a program writes on its standard output, to its end."""
    child = await Child.spawn(made, FakeLedger(), piped=True)
    assert child.streams.heard is not None
    said = await child.streams.heard.read()
    await child.aclose()
    return said


async def finished(made: Command, ledger: FakeLedger | None = None) -> Child:
    """A child that has come to its own end."""
    child = await Child.spawn(made, ledger or FakeLedger(), piped=False)
    await until(lambda: child.end)
    await child.aclose()
    return child


@pytest.mark.requirement("children:next-to-nothing")
async def test_a_child_sees_the_variables_that_were_named_for_it_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAMED", "for it")
    monkeypatch.setenv("UNNAMED", "secret")

    said = await spoken(
        command(
            tmp_path,
            "/usr/bin/env",
            environment=("NAMED", "NOT_THERE"),
            variables=(("PORT", "1"),),
        )
    )

    assert sorted(said.decode().split("\n")) == ["", "NAMED=for it", "PORT=1"]


@pytest.mark.requirement("children:next-to-nothing")
async def test_a_child_works_in_a_folder_of_its_own_that_nobody_else_may_read(
    tmp_path: Path,
) -> None:
    (tmp_path / "own").mkdir(mode=0o755)

    said = await spoken(command(tmp_path, "/bin/pwd"))

    assert said.decode().strip() == str(tmp_path / "own")
    assert (tmp_path / "own").stat().st_mode & 0o777 == 0o700


@pytest.mark.requirement("children:next-to-nothing")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists what is open this way")
async def test_a_child_has_its_three_streams_and_nothing_else_of_the_gateways(
    tmp_path: Path,
) -> None:
    other, end = os.pipe()
    os.set_inheritable(end, True)
    program = """
        import os
        print([n for n in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + n)])
    """

    said = await spoken(python(tmp_path, program))
    os.close(other)
    os.close(end)

    assert said.decode().strip() == "['0', '1', '2']"


@pytest.mark.requirement("children:next-to-nothing")
async def test_no_shell_reads_the_words_of_a_command(tmp_path: Path) -> None:
    words = ["$HOME", "; touch escaped", "`id`", "a b", "*"]

    said = await spoken(command(tmp_path, "/usr/bin/printf", r"%s\n", *words))

    assert said.decode().splitlines() == words
    assert list((tmp_path / "own").iterdir()) == []


@pytest.mark.requirement("children:next-to-nothing")
async def test_a_child_and_what_it_starts_have_limits(tmp_path: Path) -> None:
    program = """
        import json, resource, subprocess, sys
        kinds = (resource.RLIMIT_CORE, resource.RLIMIT_NOFILE, resource.RLIMIT_DATA)
        if len(sys.argv) == 1:
            subprocess.run([sys.executable, __file__, "again"])
        print(json.dumps([resource.getrlimit(kind) for kind in kinds]))
    """

    said = await spoken(python(tmp_path, program, files=99, memory=256 * 1024 * 1024))

    limits = [[0, 0], [99, 99], [256 * 1024 * 1024] * 2]
    assert [json.loads(line) for line in said.splitlines()] == [limits, limits]


async def test_a_child_that_wants_too_much_memory_ends_by_itself(tmp_path: Path) -> None:
    ledger = FakeLedger()

    child = await finished(
        python(tmp_path, "held = bytearray(2 << 30)", memory=256 * 1024 * 1024), ledger
    )

    assert child.end == "ended with exit code 1"
    assert "MemoryError" in str(child.words)


@pytest.mark.requirement("children:every-spawn-is-an-entry")
async def test_a_spawn_and_its_end_are_entries_with_one_id(tmp_path: Path) -> None:
    ledger = FakeLedger()

    await finished(python(tmp_path, "raise SystemExit(3)"), ledger)

    spawn, end = ledger.entries
    assert ledger.kinds == ["spawn", "child.ended"]
    assert spawn.body["server"] == end.body["server"] == "up"
    assert spawn.body["child"] == end.body["child"]
    assert spawn.body["command"][0] == sys.executable
    assert (end.body["end"], end.body["code"]) == ("ended with exit code 3", 3)


@pytest.mark.requirement("children:every-spawn-is-an-entry")
async def test_what_cannot_be_recorded_is_not_started(tmp_path: Path) -> None:
    ledger = FakeLedger(broken={"spawn"})

    with pytest.raises(Overloaded):
        await Child.spawn(command(tmp_path, "/usr/bin/touch", "started"), ledger, piped=False)

    assert list((tmp_path / "own").iterdir()) == []


async def test_an_end_that_cannot_be_recorded_is_said_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await finished(command(tmp_path, "/bin/true"), FakeLedger(broken={"child.ended"}))

    assert "the end of up could not be recorded" in caplog.text


@pytest.mark.parametrize("program", ["no-such-program", "/no/such/program", "./program", "."])
async def test_a_program_that_is_not_there_is_told_before_anything_is_recorded(
    tmp_path: Path, program: str
) -> None:
    ledger = FakeLedger()

    with pytest.raises(UpstreamFailed, match="there is no program"):
        await Child.spawn(command(tmp_path, program), ledger, piped=False)

    assert ledger.entries == []


async def test_a_program_is_found_by_the_path_that_the_child_has(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "greet").symlink_to("/bin/echo")
    variables = (("PATH", str(tmp_path / "bin")),)

    assert await spoken(command(tmp_path, "greet", "hello", variables=variables)) == b"hello\n"


async def test_a_program_in_its_own_folder_is_found_there(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "greet").symlink_to("/bin/echo")

    assert await spoken(command(tmp_path, "./greet", "hello")) == b"hello\n"


async def test_a_program_that_cannot_be_run_says_so_with_its_last_words(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\0\0 no format that is known")
    program.chmod(0o700)

    child = await finished(command(tmp_path, str(program)))

    assert child.end == "ended with exit code 1"
    assert "cannot be run: Exec format error" in str(child.words)


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("a file", "utf-8")

    with pytest.raises(UpstreamFailed, match="up cannot be started: File exists"):
        await Child.spawn(command(tmp_path, "/bin/true"), FakeLedger(), piped=False)


async def test_a_system_that_cannot_start_anything_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    before = len(list(Path("/proc/self/fd").iterdir()))

    with pytest.raises(UpstreamFailed, match="up cannot be started: No such file"):
        await Child.spawn(command(tmp_path, "/bin/true"), FakeLedger(), piped=True)

    assert len(list(Path("/proc/self/fd").iterdir())) <= before


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
