"""The doctor's checks run side by side, and none hides another."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterator
from concurrent.futures import Future
from concurrent.futures import wait as wait_for

import pytest

from shared.doctor.finding import Check, Finding
from shared.doctor.running import run_checks
from shared.errors import Advised, ConfigurationError, RateLimited, StorageError
from shared.runtime import Runtime

SECONDS = 4.0


def quick(_: Runtime) -> Iterator[Finding]:
    yield Finding("quick", "ok", "is there")


class Hanging:
    """A check that finds one thing and then waits until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.reached = threading.Event()
        self.runs = 0
        self.check = Check("hanging", self.run, "Look at it", ("SETTING",))

    def run(self, _: Runtime) -> Iterator[Finding]:
        self.runs += 1
        yield Finding("hanging.before", "ok", "got so far")
        self.reached.set()
        self.let_go.wait()
        yield Finding("hanging.after", "ok", "came back")

    def give_up_waiting(self, futures: Collection[Future[None]], seconds: float) -> None:
        """What waiting looks like from outside once the time is over; takes none."""
        assert seconds == SECONDS
        self.reached.wait()
        wait_for(futures, return_when="FIRST_COMPLETED")


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    made = Hanging()
    yield made
    made.let_go.set()


def names(findings: list[Finding]) -> list[str]:
    return [finding.check for finding in findings]


def test_a_check_that_hangs_is_told_and_hides_neither_others_nor_what_it_found(hanging: Hanging) -> None:
    checks = [hanging.check, Check("quick", quick)]
    findings = run_checks(Runtime({}), checks, SECONDS, hanging.give_up_waiting)
    assert names(findings) == ["hanging.before", "hanging", "quick"]
    told = findings[1]
    assert (told.status, told.seen, told.advice) == ("failed", "no answer within 4 s", "Look at it")
    assert told.settings == ("SETTING",)


def test_a_check_that_still_hangs_is_not_started_again_but_waited_for(hanging: Hanging) -> None:
    runtime, checks = Runtime({}), [hanging.check, Check("quick", quick)]
    for _ in range(3):
        run_checks(runtime, checks, SECONDS, hanging.give_up_waiting)
    assert hanging.runs == 1

    def until_it_comes_back(futures: Collection[Future[None]], _: float) -> None:
        hanging.let_go.set()
        wait_for(futures)

    findings = run_checks(runtime, [hanging.check], SECONDS, until_it_comes_back)
    assert names(findings) == ["hanging.before", "hanging.after"]
    assert hanging.runs == 1
    run_checks(runtime, [hanging.check], SECONDS)
    assert hanging.runs == 2


def test_what_hangs_in_one_process_part_is_asked_anew_in_another(hanging: Hanging) -> None:
    for _ in range(2):
        hanging.reached.clear()
        run_checks(Runtime({}), [hanging.check, Check("quick", quick)], SECONDS, hanging.give_up_waiting)
    assert hanging.runs == 2


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(
            StorageError(Advised("Blob is away", "check DOCUMENTS_CONNECTION")),
            Finding("broken", "failed", "Blob is away", "Check DOCUMENTS_CONNECTION", settings=("GIVEN",)),
            id="ours, with its own advice",
        ),
        pytest.param(
            StorageError("there are only these roles: Set up crew"),
            Finding(
                "broken",
                "failed",
                "there are only these roles: Set up crew",
                "General advice",
                settings=("GIVEN",),
            ),
            id="ours, quoting what sounds like advice",
        ),
        pytest.param(
            StorageError("Blob is away"),
            Finding("broken", "failed", "Blob is away", "General advice", settings=("GIVEN",)),
            id="ours, without advice",
        ),
        pytest.param(
            ConfigurationError.of("NAME", "points at nothing"),
            Finding("broken", "failed", "NAME: points at nothing", "General advice", settings=("NAME",)),
            id="a setting names itself",
        ),
        pytest.param(
            RateLimited("the window is full", 12.3),
            Finding(
                "broken",
                "warning",
                "not looked at: the window is full",
                "Ask again in 12 s",
                settings=("GIVEN",),
            ),
            id="a full window is no fault",
        ),
        pytest.param(
            KeyError("s3cret"),
            Finding(
                "broken", "failed", "unexpected KeyError, see the log", "General advice", settings=("GIVEN",)
            ),
            id="not ours: its text may hold anything",
        ),
    ],
)
def test_a_check_that_raises_becomes_a_finding(
    error: Exception, expected: Finding, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Runtime) -> Iterator[Finding]:
        yield Finding("broken.before", "ok", "got so far")
        raise error

    checks = [Check("broken", broken, "General advice", ("GIVEN",)), Check("quick", quick)]
    with caplog.at_level(logging.ERROR):
        findings = run_checks(Runtime({}), checks, SECONDS)
    assert names(findings) == ["broken.before", "broken", "quick"]
    assert findings[1] == expected
    assert "s3cret" not in caplog.text
    assert ("broken" in caplog.text) is isinstance(error, KeyError)


def test_checks_run_at_the_same_time() -> None:
    met = threading.Barrier(2)

    def meeting(_: Runtime) -> Iterator[Finding]:
        met.wait(30)  # breaks, and raises, when the other one is not under way
        yield Finding("meeting", "ok", "met")

    findings = run_checks(Runtime({}), [Check("one", meeting), Check("two", meeting)], 60)
    assert [finding.status for finding in findings] == ["ok", "ok"]
