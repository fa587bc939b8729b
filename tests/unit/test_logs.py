"""Log lines: JSON in the worker, sentences in a terminal, never the text of an unexpected error."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from shared.context import (
    Trace,
    bound,
    bound_facts,
    message_properties,
    new_trace,
    parse_trace,
    traced,
)
from shared.errors import StorageError
from shared.telemetry.log_format import OUR_LOGGERS, JsonFormatter, ReadableFormatter
from shared.telemetry.logs import JsonForwarder, install_json_logs, log_level
from shared.version import FULL_VERSION
from tests.real_parts import PROJECT

CANARY = "Ann Canary"


class Lines(logging.Handler):
    """Keeps lines in one format."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    @property
    def last(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.lines[-1])
        return found


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("shared.test")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield logger
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def json_lines(logger: logging.Logger) -> Lines:
    lines = Lines(JsonFormatter())
    logger.addHandler(lines)
    return lines


@pytest.fixture
def readable(logger: logging.Logger) -> Lines:
    lines = Lines(ReadableFormatter())
    logger.addHandler(lines)
    return lines


def fails() -> None:
    float(CANARY)


def test_a_line_has_its_facts(logger: logging.Logger, json_lines: Lines) -> None:
    trace = new_trace()
    with traced(trace), bound(run="r", entity="jobs", batch=None), bound(batch=2):
        logger.warning("%s is späť", "it", extra={"key": "7", "duration_ms": 12, "event": "late"})
    line = json_lines.last
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "WARNING",
        "logger": "shared.test",
        "version": FULL_VERSION,
        "message": "it is späť",
        **{"run": "r", "entity": "jobs", "batch": 2, "key": "7", "duration_ms": 12, "event": "late"},
        "trace_id": trace.trace_id,
    }


def test_facts_end_with_their_block_and_are_not_another_threads() -> None:
    seen: list[Any] = []
    with bound(run="r"):
        other = threading.Thread(target=lambda: seen.append(dict(bound_facts())))
        other.start()
        other.join()
    assert seen == [{}]
    assert bound_facts() == {}


def test_an_unexpected_errors_text_is_not_told_but_where_it_happened_is(
    logger: logging.Logger, json_lines: Lines, readable: Lines
) -> None:
    try:
        fails()
    except ValueError as error:
        try:
            raise StorageError("documents are away") from error
        except StorageError:
            logger.exception("failed")
    told = json_lines.last["exception"]
    assert (told["type"], told["text"]) == ("StorageError", "documents are away")
    assert told["cause"]["type"] == "ValueError"
    assert told["cause"]["frames"][-1].endswith(" fails")
    assert "tests/unit/test_logs.py:" in told["cause"]["frames"][-1]
    for lines in (json_lines, readable):
        assert CANARY not in lines.lines[-1]
    assert "StorageError: documents are away" in readable.lines[-1]


def test_a_line_is_one_line_whatever_is_in_it(logger: logging.Logger, json_lines: Lines) -> None:
    logger.info("a\nb", extra={"odd": object(), "when": {1, 2}})
    assert "\n" not in json_lines.lines[-1]
    assert json_lines.last["message"] == "a\nb"


def test_extra_fields_of_libraries_are_left_out() -> None:
    record = logging.makeLogRecord({"name": "urllib3.pool", "msg": "retry", "url": CANARY})
    assert CANARY not in JsonFormatter().format(record)


def test_a_terminal_reads_sentences(logger: logging.Logger, readable: Lines) -> None:
    with bound(run="r-1", entity="jobs"):
        facts = {"event": "x", "batches": 1, "counts": {"created": 2}}
        logger.info("jobs of run r-1 ended", extra=facts)
    assert readable.lines == ['jobs of run r-1 ended batches=1 counts={"created": 2}']


# -- in the worker --------------------------------------------------------------------------------------


WORKER = """
import logging

class Root(logging.Handler):
    def emit(self, record):
        print(record.name, record.levelname, record.filename, self.format(record))

logging.getLogger().addHandler(Root())
logging.getLogger().setLevel(logging.INFO)
import function_app
from shared.context import bound
with bound(run="r"):
    logging.getLogger("shared.sync").debug("debug", extra={"key": "1"})
    logging.getLogger("functions.timers").info("info", extra={"key": "2"})
    logging.getLogger("azure.servicebus._pyamqp").info("chatter")
    logging.getLogger("azure.servicebus._pyamqp").warning("link detached")
    logging.getLogger("azure.functions").info("worker's own")
"""


def lines_of_worker(**environment: str) -> list[str]:
    """What reaches the root logger's handler in a process that the app was loaded in."""
    command = [sys.executable, "-c", WORKER]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, encoding="utf-8"
    )
    return done.stdout.splitlines()


def test_in_the_worker_json_reaches_the_root_logger_as_the_message_once() -> None:
    lines = lines_of_worker(FUNCTIONS_WORKER_RUNTIME="python")
    ours, library, workers = lines
    assert ours.startswith("functions.timers INFO <string> {")
    told = json.loads(ours.split(" ", 3)[3])
    assert (told["message"], told["run"], told["key"]) == ("info", "r", "2")
    assert json.loads(library.split(" ", 3)[3])["message"] == "link detached"
    assert workers.endswith("worker's own")


def test_log_level_is_obeyed_by_ours_alone() -> None:
    lines = lines_of_worker(FUNCTIONS_WORKER_RUNTIME="python", LOG_LEVEL="debug")
    assert [json.loads(line.split(" ", 3)[3])["message"] for line in lines[:-1]] == [
        "debug",
        "info",
        "link detached",
    ]
    assert lines_of_worker(FUNCTIONS_WORKER_RUNTIME="python", LOG_LEVEL="ERROR")[0].endswith("worker's own")


def test_outside_the_worker_nothing_is_installed() -> None:
    assert lines_of_worker()[0] == "functions.timers INFO <string> info"


@pytest.mark.parametrize(
    ("value", "level"), [("", "INFO"), (" warning ", "WARNING"), ("LOUD", "INFO"), ("DEBUG", "DEBUG")]
)
def test_a_level_that_is_none_is_info(value: str, level: str) -> None:
    assert log_level({"LOG_LEVEL": value}) == level


def test_installing_again_doubles_nothing() -> None:
    loggers = [logging.getLogger("shared"), logging.getLogger("msal")]
    before = [(one, one.level, one.propagate, list(one.handlers)) for one in loggers]
    try:
        install_json_logs({})
        install_json_logs({})
        assert [len([h for h in one.handlers if isinstance(h, JsonForwarder)]) for one in loggers] == [1, 1]
    finally:
        _restore()
    assert [(one, one.level, one.propagate, list(one.handlers)) for one in loggers] == before


class Kept(Lines):
    """Keeps the records too."""

    def __init__(self) -> None:
        super().__init__(logging.Formatter("%(message)s"))
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        super().emit(record)


@pytest.fixture
def root() -> Iterator[Kept]:
    """What reaches the root logger, with the forwarders in place as in the worker."""
    lines, logger = Kept(), logging.getLogger()
    level = logger.level
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    yield lines
    _restore()
    logger.removeHandler(lines)
    logger.setLevel(level)


def test_a_line_reaches_the_root_logger_once_as_json_from_where_it_was_written(root: Kept) -> None:
    install_json_logs({})
    with bound(run="r"):
        logging.getLogger("shared.sync.documents.runs").warning("late: %s", 7, extra={"event": "late"})
    (record,) = root.records
    assert (record.name, record.levelname, record.funcName) == (
        "shared.sync.documents.runs",
        "WARNING",
        "test_a_line_reaches_the_root_logger_once_as_json_from_where_it_was_written",
    )
    assert record.filename == "test_logs.py"
    assert (root.last["message"], root.last["run"], root.last["event"]) == ("late: 7", "r", "late")
    assert record.args is None, "a percent sign in the line would be taken for a place of an argument"


def test_a_line_has_the_time_at_which_it_was_written(root: Kept) -> None:
    install_json_logs({})
    written = {
        "name": "shared.sync",
        "levelno": logging.INFO,
        "msg": "late",
        "created": 1000.5,
        "msecs": 500.0,
    }
    logging.getLogger("shared.sync").handle(logging.makeLogRecord(written))
    (record,) = root.records
    assert (record.created, record.msecs) == (1000.5, 500.0)
    assert root.last["time"] == "1970-01-01T00:16:40.500+00:00"


def test_a_line_that_cannot_be_made_costs_neither_the_work_nor_the_next_line(
    root: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    install_json_logs({})
    logger = logging.getLogger("shared.sync")
    logger.info("%d people", CANARY)
    logger.info("next")
    first, last = (json.loads(line)["message"] for line in root.lines)
    assert first.startswith("a line of the log could not be made, at test_logs:")
    assert last == "next"
    # Python's own way prints the arguments.
    assert CANARY not in "".join([*capsys.readouterr(), *root.lines])


@pytest.mark.parametrize(
    ("level", "ours", "theirs"),
    [
        ("DEBUG", logging.DEBUG, logging.WARNING),
        ("", logging.INFO, logging.WARNING),
        ("ERROR", logging.ERROR, logging.ERROR),
    ],
)
def test_libraries_never_tell_less_than_warnings_for_their_details_quote_addresses(
    root: Kept, level: str, ours: int, theirs: int
) -> None:
    install_json_logs({"LOG_LEVEL": level})
    assert logging.getLogger("shared").level == ours
    for library in ("azure.core", "msal", "urllib3", "redis"):
        assert logging.getLogger(library).level == theirs
    assert logging.getLogger("azure.functions").level == logging.NOTSET, "the worker's own"


def _restore() -> None:
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        if any(isinstance(handler, JsonForwarder) for handler in logger.handlers):
            logger.handlers = [h for h in logger.handlers if not isinstance(h, JsonForwarder)]
            logger.propagate = True
            logger.setLevel(logging.NOTSET)


# -- traces ---------------------------------------------------------------------------------------------

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_traceparent_is_read_and_written() -> None:
    trace = parse_trace(PARENT)
    assert trace == Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert trace.traceparent == PARENT


@pytest.mark.parametrize(
    "text",
    [None, "", "garbage", PARENT.upper(), PARENT[:-1], f"00-{'0' * 32}-b7ad6b7169203331-01", PARENT + "x"],
)
def test_anything_else_is_no_trace(text: str | None) -> None:
    assert parse_trace(text) is None


def test_messages_carry_the_trace_of_whoever_sends_them() -> None:
    with traced(parse_trace(PARENT)):
        assert message_properties() == {"Diagnostic-Id": PARENT, "traceparent": PARENT}
    assert message_properties() == {}


def test_whoever_of_us_logs_is_known_as_one_of_us() -> None:
    """Lines of others are written from WARNING on, and without their errors' texts."""
    logging_ones = {
        path.relative_to(PROJECT).parts[0]
        for path in PROJECT.glob("[a-z]*/**/*.py")
        if "getLogger(__name__)" in path.read_text()
    }
    assert logging_ones - {"tests"} <= set(OUR_LOGGERS)
    assert "shared" in logging_ones
