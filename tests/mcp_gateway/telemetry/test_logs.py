import io
import json
import logging
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_gateway.telemetry import logs
from mcp_gateway.telemetry.redaction import GONE
from tests.mcp_gateway.telemetry.test_redaction import SECRETS

log = logging.getLogger("tests.of.logs")
KEY = "mcpgw_1b29801d_" + "k" * 43


class Stream(io.StringIO):
    """Standard error, on a terminal or not."""

    terminal = False

    def isatty(self) -> bool:
        return self.terminal

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def stream() -> Iterator[Stream]:
    """Standard error, with logging as it was once the test is over."""
    logging.captureWarnings(capture=False)  # whatever another test has left
    made, root = Stream(), logging.getLogger()
    kept, level, hook = list(root.handlers), root.level, threading.excepthook
    yield made
    root.handlers[:] = kept
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    threading.excepthook = hook


@pytest.mark.requirement("operations:logs-hold-no-secrets")
def test_a_server_that_set_logging_up_by_itself_does_not_write_past_the_redaction(
    stream: Stream,
) -> None:
    uvicorn.Config("nothing:nothing")
    beside = Stream()
    logging.getLogger("uvicorn").addHandler(logging.StreamHandler(beside))

    logs.configure("info", stream=stream)
    logging.getLogger("uvicorn.error").error("bound by %s", KEY)

    (line,) = stream.lines()
    assert KEY not in line["message"]
    assert beside.getvalue() == ""


def test_a_record_is_one_json_object_with_its_fields(stream: Stream) -> None:
    logs.configure("info", stream=stream)
    log.info("%d calls ended\nbadly", 3, extra={"server": "desk", "seconds": 0.5, "held": ["a", 1]})
    log.info("", extra={"never": float("inf")})

    line, odd = stream.lines()
    assert odd["fields"] == {"never": "inf"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.pop("time"))
    assert line == {
        "level": "info",
        "logger": "tests.of.logs",
        "message": "3 calls ended\nbadly",
        "fields": {"server": "desk", "seconds": 0.5, "held": ["a", 1]},
    }


def test_an_exception_stands_in_the_object_of_its_record(stream: Stream) -> None:
    logs.configure("info", stream=stream)
    try:
        raise ValueError(f"bad key {KEY}")
    except ValueError:
        log.exception("failed", stack_info=True)

    (line,) = stream.lines()
    assert line["exception"].startswith("Traceback")
    assert f"ValueError: bad key mcpgw_{GONE}" in line["exception"]
    assert "Stack (most recent call last)" in line["exception"]
    assert KEY not in stream.getvalue()


@pytest.mark.parametrize(
    "said",
    [
        lambda: logging.getLogger("uvicorn.error").error(OSError(98, f"bound by {KEY}")),
        lambda: warnings.warn(f"a warning of {KEY}", stacklevel=1),
        lambda: log.warning("by argument %s", KEY),
        lambda: log.warning(
            "by field", extra={"given": {"authorization": KEY, KEY: [KEY, (1, KEY)]}}
        ),
        lambda: log.warning("an object", extra={"given": Exception(KEY)}),
    ],
    ids=["uvicorn", "warning", "argument", "field", "object"],
)
@pytest.mark.requirement("operations:logs-hold-no-secrets")
def test_whoever_logs_a_secret_in_whatever_place_it_does_not_get_out(
    stream: Stream, said: Callable[[], object]
) -> None:
    logs.configure("info", stream=stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        said()

    assert len(stream.lines()) == 1
    assert "k" * 43 not in stream.getvalue()
    assert GONE in stream.getvalue()


@pytest.mark.parametrize("message", ["does not fit %d", "one is missing %s %s", "none is wanted"])
def test_arguments_that_do_not_fit_fail_no_caller_and_hide_nothing_but_secrets(
    stream: Stream, message: str
) -> None:
    logs.configure("info", stream=stream)
    record = logging.LogRecord("x", logging.INFO, "", 0, message, (f"desk {KEY}",), None)
    logging.getLogger().handlers[-1].handle(record)

    (line,) = stream.lines()
    assert message in line["message"]
    assert "desk" in line["message"]
    assert "k" * 43 not in stream.getvalue()


@pytest.mark.requirement("operations:logs-hold-no-secrets")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    secret=SECRETS,
    around=st.text(max_size=20),
    place=st.sampled_from(["message", "argument", "field"]),
    form=st.sampled_from(["json", "text"]),
)
def test_no_line_of_either_form_holds_a_secret_and_each_is_one_line(
    stream: Stream, secret: tuple[str, str], around: str, place: str, form: logs.Format
) -> None:
    stream.seek(0)
    stream.truncate()
    logs.configure("info", form, stream=stream)
    written = f"{around} {secret[0]} {around}"
    if place == "message":
        log.info(written.replace("%", "%%"))
    elif place == "argument":
        log.info("said %s", written)
    else:
        log.info("said", extra={"given": [written]})

    assert secret[1] not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 1
    if form == "json":
        assert stream.lines()[0]["logger"] == "tests.of.logs"


def test_a_thread_that_dies_is_a_line_like_any_other(stream: Stream) -> None:
    logs.configure("info", stream=stream)

    def fails() -> None:
        raise ZeroDivisionError(f"with {KEY}")

    thread = threading.Thread(target=fails, name="ledger")
    thread.start()
    thread.join(5)

    (line,) = stream.lines()
    assert line["message"] == "the thread ledger ended"
    assert "ZeroDivisionError" in line["exception"]
    assert KEY not in stream.getvalue()


@pytest.mark.parametrize(
    ("form", "terminal", "plain"),
    [("auto", True, True), ("auto", False, False), ("text", False, True), ("json", True, False)],
)
def test_people_at_a_terminal_read_plain_text(
    stream: Stream, form: logs.Format, *, terminal: bool, plain: bool
) -> None:
    stream.terminal = terminal
    logs.configure("info", form, stream=stream)
    log.info("ready")

    assert stream.getvalue().startswith("{") is not plain


def test_plain_text_begins_no_line_and_moves_no_terminal(stream: Stream) -> None:
    logs.configure("info", "text", stream=stream)
    try:
        raise ValueError("\x1b[2J")
    except ValueError:
        log.exception("one\n2026-01-01T00:00:00Z INFO forged: two\x1b[31m", extra={"who": "\u202e"})

    lines = stream.getvalue().splitlines()
    assert "one\\u000a2026" in lines[0]
    assert "who=\\u202e" in lines[0]
    assert all(line.startswith("  ") for line in lines[1:])
    assert "\x1b" not in stream.getvalue()


def test_a_level_can_be_set_and_set_anew_and_nothing_is_said_twice(stream: Stream) -> None:
    logs.configure("warning", stream=stream)
    log.info("not said")
    logs.configure("info", stream=stream)
    log.info("said once")
    logs.set_level("error")
    log.warning("not said either")

    assert [line["message"] for line in stream.lines()] == ["said once"]


def test_what_uvicorn_writes_for_terminals_is_no_field(stream: Stream) -> None:
    logs.configure("info", stream=stream)
    log.info("up", extra={"color_message": "\x1b[36mup"})

    assert "fields" not in stream.lines()[0]
