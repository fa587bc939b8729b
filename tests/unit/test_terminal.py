"""What goes to a terminal and to a pipe: one console for table and log, one line for one event, and a last
line that names what comes next."""

from __future__ import annotations

import io
import logging
import sys
from typing import Any

import pytest
from rich.console import Console

from cli import console as consoles
from cli import main as command_line
from cli.console import LogLines, log_console, result_console, say
from cli.next_step import AFTER, after_run, next_step
from cli.show import show_report
from local.host.once import PLAN_HELD, SOMETHING_FAILED
from shared.telemetry.log_format import ReadableFormatter
from shared.version import PROGRAM
from tests.unit.docs.test_commands import names, parser


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def logged(message: str, error: bool = False) -> str:
    """What one event becomes in a pipe."""
    stream = io.StringIO()
    handler = LogLines()
    handler.setStream(stream)
    handler.setFormatter(ReadableFormatter())
    record = logging.LogRecord("shared.x", logging.WARNING, "x.py", 1, message, (), None)
    if error:
        try:
            raise ValueError("of a record")
        except ValueError:
            record.exc_info = sys.exc_info()
    handler.emit(record)
    return stream.getvalue()


def test_an_event_is_one_line_in_a_pipe_however_long_it_is() -> None:
    line = logged("upstream call " + "status=422 " * 40)
    assert line.count("\n") == 1
    assert line.rstrip().endswith("status=422")
    assert " WARNING  upstream call" in line


def test_an_error_with_its_frames_is_one_line_too() -> None:
    line = logged("it went wrong", error=True)
    assert line.count("\n") == 1
    assert " | ValueError | " in line
    assert "of a record" not in line


def test_what_moves_a_terminal_is_spelled_in_a_line() -> None:
    assert "\\x1b[2J" in logged("name \x1b[2J")


def test_a_log_that_nobody_reads_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    handler = LogLines()
    handler.setStream(Gone())
    handler.emit(logging.LogRecord("shared.x", logging.WARNING, "x.py", 1, "lost", (), None))
    assert capsys.readouterr().err == ""


def test_in_a_terminal_log_and_table_have_one_console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert log_console() is result_console() is consoles.TERMINAL
    assert getattr(command_line._log_handler(), "console", None) is consoles.TERMINAL


def test_where_one_of_both_goes_elsewhere_each_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert log_console() is not consoles.TERMINAL
    assert log_console().stderr
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(command_line._log_handler(), LogLines)


WORDS: dict[str, list[str]] = {
    "rehearse": ["rehearse", "crash"],
    "approve": ["approve", "20260131-120000-0a1b2c"],
    "cancel": ["cancel", "20260131-120000-0a1b2c"],
    "changes": ["changes", "20260131-120000-0a1b2c"],
}


@pytest.mark.parametrize("name", AFTER)
def test_a_last_line_names_a_command_that_there_is(name: str) -> None:
    options = parser().parse_args(WORDS.get(name, [name]))
    for status in (0, SOMETHING_FAILED):
        line = next_step(options, status)
        assert line is not None
        words = line.split()
        assert words[words.index(PROGRAM) + 1] in names()


def test_a_run_that_is_named_is_in_the_line() -> None:
    options = parser().parse_args(["runs", "20260131-120000-0a1b2c"])
    assert next_step(options, 0) == f"next: {PROGRAM} changes 20260131-120000-0a1b2c tells what it changed"


@pytest.mark.parametrize(
    ("status", "word"),
    [(0, "fix-list"), (SOMETHING_FAILED, "failures"), (PLAN_HELD, "plan r1 shows what is held")],
)
def test_after_a_run_the_line_is_about_how_it_ended(status: int, word: str) -> None:
    assert word in after_run({"run_id": "r1"}, status)


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_sentence_is_one_line_in_a_pipe_and_breaks_between_words_in_a_terminal(width: int) -> None:
    text = "next: " + " ".join(f"word{number}" for number in range(60))
    written: dict[bool, list[str]] = {}
    for stream in (Terminal(), io.StringIO()):
        say(Console(file=stream, width=width, color_system=None), text)
        written[stream.isatty()] = stream.getvalue().splitlines()
    assert written[False] == [text]
    assert len(written[True]) > 1
    assert " ".join(line.rstrip() for line in written[True]) == text
    assert all(len(line) <= width for line in written[True])


def test_what_a_run_tells_of_a_record_breaks_between_words_at_80_columns() -> None:
    reason = "SafetyAmp refused email: SafetyAmp user 40003 has the same value there. " * 3
    problem = {"key": "10002", "kind": "failed", "field": "email", "reason": reason.strip()}
    entity: dict[str, Any] = {
        "reason": None,
        "held": False,
        "phase": "done",
        "planned": {},
        "problems": [problem],
    }
    report: dict[str, Any] = {
        **{"run_id": "r1", "phase": "done", "mode": "apply", "calls": {}, "waited_seconds": 0.0},
        **{"duration_seconds": 1.0, "entities": {"employees": entity}},
    }
    stream = Terminal()
    show_report(Console(file=stream, width=80, color_system=None), report)
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert all(len(line) <= 80 for line in lines)
    told = [
        line.strip()
        for line in lines[
            lines.index("  employees 10002 failed (email): SafetyAmp refused email: SafetyAmp user") :
        ]
    ]
    assert " ".join(told).endswith(reason.strip())
