"""The launcher, as the script that it is run as."""

import json
import os
import subprocess
import sys
from pathlib import Path

from connectors import launcher

ME = str(os.getpid())


def launched(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", launcher.__file__, *arguments]
    variables = {"A": "1", "B": "2"}
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def test_it_becomes_the_program_with_the_variables_that_it_was_told() -> None:
    done = launched(ME, "64", "1000000000", "A", "/usr/bin/env")

    assert (done.returncode, done.stdout) == (0, "A=1\n")


def test_a_limit_that_is_lower_already_stays(tmp_path: Path) -> None:
    inner = [ME, "999", "1000000000", "", sys.executable, "-c"]
    program = "import json, resource; print(json.dumps(resource.getrlimit(resource.RLIMIT_NOFILE)))"
    code = (
        "import os, resource, subprocess, sys;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50));"
        "sys.argv[2] = str(os.getpid());"
        "subprocess.run([sys.executable, '-I', '-S', *sys.argv[1:]])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, launcher.__file__, *inner, program],
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout) == [50, 50]


def test_it_runs_nothing_when_the_gateway_is_gone_already() -> None:
    done = launched("1", "64", "1000000000", "", "/bin/echo", "still here")

    assert done.returncode != 0
    assert done.stdout == ""
    assert "the gateway 1 is gone" in done.stderr


def test_what_cannot_be_run_is_told_in_a_line() -> None:
    done = launched(ME, "64", "1000000000", "", "/no/such/program")

    assert done.returncode != 0
    assert done.stderr == "/no/such/program cannot be run: No such file or directory\n"
