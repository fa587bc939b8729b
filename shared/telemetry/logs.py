"""Structured logs in the Functions worker, whose root logger forwards to the host.

The worker drops `extra` fields and formats with its own handler, so the JSON has to be the record's message
before the record reaches the root logger.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from shared.telemetry.log_format import OUR_LOGGERS, JsonFormatter

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

THIRD_PARTIES = (
    *("azure.core", "azure.identity", "azure.servicebus", "azure.storage", "azure.keyvault"),
    *("msal", "urllib3", "requests", "redis"),
)
"""Libraries whose warnings become lines too, never less: their details quote addresses with queries. Not
`azure` as a whole: the worker's own logger is `azure.functions`."""


class JsonForwarder(logging.Handler):
    """Hands records on to the root logger as JSON in the message, at once and in the same thread: that is
    how the worker knows the invocation."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:
            # Python's own way would print the arguments, and those may be anything.
            where = f"{record.module}:{record.lineno}"
            text = self.format(_line(record, f"a line of the log could not be made, at {where}"))
        logging.getLogger().handle(_line(record, text))


def _line(record: logging.LogRecord, text: str) -> logging.LogRecord:
    """A record with this text in the place of `record`."""
    line = logging.LogRecord(
        record.name, record.levelno, record.pathname, record.lineno, text, None, None, record.funcName
    )
    line.created, line.msecs = record.created, record.msecs
    return line


def log_level(environment: Mapping[str, str]) -> str:
    """LOG_LEVEL, or INFO when it is unset or none of the four; `/ready` tells of the latter."""
    wanted = environment.get("LOG_LEVEL", "").strip().upper()
    return wanted if wanted in LEVELS else "INFO"


def install_json_logs(environment: Mapping[str, str]) -> None:
    """From now on our records and the libraries' warnings are JSON lines at the root logger, once each.
    Calling it again only changes the level."""
    level = log_level(environment)
    for name in OUR_LOGGERS:
        _forward(name, level)
    for name in THIRD_PARTIES:
        _forward(name, max(level, "WARNING", key=LEVELS.index))


def _forward(name: str, level: str) -> None:
    logger = logging.getLogger(name)
    logger.setLevel(level)
    logger.propagate = False
    if not any(isinstance(handler, JsonForwarder) for handler in logger.handlers):
        logger.addHandler(JsonForwarder())
