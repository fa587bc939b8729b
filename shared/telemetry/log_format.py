"""From a log record to a line: JSON for machines, a sentence for people. Never an exception's own text.

An unexpected exception's text may quote a record (`could not convert string to float: 'Ann'`), so a line has
its type and where it happened. Only our own errors, whose texts name no values, are told in full.
"""

from __future__ import annotations

import json
import logging
import re
import traceback
from datetime import UTC, datetime
from typing import Any

from shared.context import bound_facts, current_trace
from shared.errors import SafetyAmpError
from shared.version import FULL_VERSION

OUR_LOGGERS = ("shared", "functions", "function_app", "cli", "local")

BEHIND_THE_HOST = re.compile(r"(https?://[^/?#\s]+)[/?#]\S*")

FRAMES = 12
"""Of a stack the innermost frames; a line of Application Insights ends at 32 KB."""

CAUSES = 4
FILE_PARTS = 3

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
"""Attributes of every record; what else a record has came by `extra`."""


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, version, message; bound facts; what the call site gave
    as `extra`; trace_id; exception."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "version": FULL_VERSION,
            "message": message_of(record),
            **facts_of(record),
        }
        if (trace := current_trace()) is not None:
            line["trace_id"] = trace.trace_id
        if (error := _error_of(record)) is not None:
            line["exception"] = describe_error(error)
        return json.dumps(line, ensure_ascii=False, default=str)


class ReadableFormatter(logging.Formatter):
    """The message, then the facts that it does not name itself; an exception as one more line per frame."""

    def format(self, record: logging.LogRecord) -> str:
        message = message_of(record)
        facts = {
            name: value
            for name, value in facts_of(record).items()
            if name != "event" and not (isinstance(value, str) and value in message)
        }
        text = " ".join([message, *(f"{name}={_readable(value)}" for name, value in facts.items())])
        error = _error_of(record)
        return text if error is None else "\n".join([text, *_error_lines(describe_error(error))])


def message_of(record: logging.LogRecord) -> str:
    """The message; in a library's, addresses end with the host: urllib3 quotes whole ones (of headers that it
    cannot parse), and a webhook's path and query are a secret."""
    message = record.getMessage()
    return message if _is_ours(record) else BEHIND_THE_HOST.sub(r"\1/…", message)


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.split(".")[0] in OUR_LOGGERS


def facts_of(record: logging.LogRecord) -> dict[str, Any]:
    """What is bound, and what the call site of a logger of ours gave as `extra`."""
    facts = dict(bound_facts())
    if _is_ours(record):
        facts |= {name: value for name, value in vars(record).items() if name not in STANDARD}
    return {name: value for name, value in facts.items() if value is not None}


def describe_error(error: BaseException, causes: int = CAUSES) -> dict[str, Any]:
    """Type, text (of our own errors only), innermost frames, and the same of what caused it."""
    described: dict[str, Any] = {"type": type(error).__name__}
    if isinstance(error, SafetyAmpError):
        described["text"] = str(error)
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    described["frames"] = [
        f"{'/'.join(frame.filename.split('/')[-FILE_PARTS:])}:{frame.lineno} {frame.name}" for frame in frames
    ]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and causes > 0:
        described["cause"] = describe_error(cause, causes - 1)
    return described


def _error_of(record: logging.LogRecord) -> BaseException | None:
    return record.exc_info[1] if record.exc_info else None


def _readable(value: Any) -> str:
    structured = isinstance(value, dict | list)
    return json.dumps(value, ensure_ascii=False, default=str) if structured else str(value)


def _error_lines(described: dict[str, Any]) -> list[str]:
    lines = [": ".join(filter(None, [described["type"], described.get("text")]))]
    lines += [f"  {frame}" for frame in described["frames"]]
    return lines + (_error_lines(described["cause"]) if "cause" in described else [])
