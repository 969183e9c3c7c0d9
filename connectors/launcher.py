"""What a child is before it becomes its program: run as a script, with the standard library alone.

`python -I -S launcher.py PARENT FILES MEMORY NAMES PROGRAM [ARGUMENT...]` sets the limits in the
child itself, where no thread of the gateway's is in the way, and then is replaced by the program.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h
MOST_FILES = 1 << 20
"""File descriptors that are looked for where the system has no limit for them."""


def main(arguments: list[str]) -> None:
    """Does not return, unless the program cannot be run."""
    parent, files, memory, names, *words = arguments
    die_with(int(parent))
    keep_the_streams_alone()
    limit(int(files), int(memory))
    # Python adds LC_CTYPE to an environment that has no locale: what was not named is not passed.
    kept = {name: os.environ[name] for name in names.split(",") if name in os.environ}
    os.execve(words[0], words, kept)  # noqa: S606  # there is no shell in between


def die_with(parent: int) -> None:
    """Where the system can do it, a gateway that was killed leaves no children behind."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before that
        raise SystemExit(f"the gateway {parent} is gone")


def keep_the_streams_alone() -> None:
    """Whatever else was open in the gateway is none of the child's business.

    A second copy of one of its own streams would keep that stream from ever ending.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if soft == resource.RLIM_INFINITY else soft
    os.closerange(3, most)


def limit(files: int, memory: int) -> None:
    """No core dumps, so many open files, so many bytes of memory. For what it starts as well."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, _within(files, resource.RLIMIT_NOFILE))
    resource.setrlimit(resource.RLIMIT_DATA, _within(memory, resource.RLIMIT_DATA))


def _within(wanted: int, kind: int) -> tuple[int, int]:
    """A limit can only be lowered below one that is there already."""
    _, hard = resource.getrlimit(kind)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    return most, most


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        raise SystemExit(f"{sys.argv[5]} cannot be run: {error.strerror}") from None
