"""Logs: one JSON object a line on standard error, or plain text, and never a secret."""

import json
import logging
import math
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

from mcp_gateway.telemetry.redaction import redacted

Format = Literal["auto", "json", "text"]
SERVERS: Final = ("uvicorn", "uvicorn.error", "uvicorn.access")
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "asctime",
    "color_message",  # uvicorn's message once more, for terminals
    "message",
    "taskName",
}


def configure(level: str, format_: Format = "auto", stream: TextIO | None = None) -> None:
    """Sends every logger, and every warning, to standard error. May be called again."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.addFilter(Redaction())
    plain = format_ == "text" or (format_ == "auto" and handler.stream.isatty())
    handler.setFormatter(Text() if plain else Json())
    root = logging.getLogger()
    for old in [h for h in root.handlers if any(isinstance(f, Redaction) for f in h.filters)]:
        root.removeHandler(old)
    root.addHandler(handler)
    for name in SERVERS:
        # uvicorn's own set-up, where somebody has run it, writes past the redaction.
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    set_level(level)
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    threading.excepthook = _in_thread


def set_level(level: str) -> None:
    logging.getLogger().setLevel(level.upper())


class Redaction(logging.Filter):
    """The one place at which secrets are taken out of a record: message, fields and exception.

    It changes the record, so that no handler after it sees more.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redacted(_said(record)), None
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redacted(record.exc_text)
        record.exc_info = None
        if record.stack_info:
            record.stack_info = redacted(record.stack_info)
        for name, value in _fields(record).items():
            setattr(record, name, _without_secrets(value))
        return True


class Json(logging.Formatter):
    """RFC 8259, ASCII only: a line is a line to every reader."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if fields := _fields(record):
            line["fields"] = fields
        if trace := _trace(record):
            line["exception"] = trace
        return json.dumps(line)


class Text(logging.Formatter):
    """For people. Nothing in a message begins another line or moves the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        said = _printable(f"{record.getMessage()}{fields}")
        line = f"{_time(record)} {record.levelname:7} {record.name}: {said}"
        trace = _trace(record)
        return "\n".join([line, *("  " + _printable(part) for part in trace.splitlines())])


def _said(record: logging.LogRecord) -> str:
    """The message; of one whose arguments do not fit, what there is: logging fails no caller."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args!r}"


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """What the caller gave as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _trace(record: logging.LogRecord) -> str:
    return "\n".join(filter(None, (record.exc_text, record.stack_info)))


def _without_secrets(value: Any) -> Any:
    """A value that JSON has, with the secrets of every text in it taken out."""
    if isinstance(value, Mapping):
        return {redacted(str(name)): _without_secrets(held) for name, held in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_without_secrets(item) for item in value]
    if value is None or isinstance(value, bool | int) or _finite(value):
        return value
    return redacted(str(value))


def _finite(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _in_thread(failed: threading.ExceptHookArgs) -> None:
    """A thread that dies says so like everything else, and not on standard error by itself."""
    name = failed.thread.name if failed.thread else "a thread"
    said = (failed.exc_type, failed.exc_value or failed.exc_type(), failed.exc_traceback)
    logging.getLogger(__name__).error("the thread %s ended", name, exc_info=said)
