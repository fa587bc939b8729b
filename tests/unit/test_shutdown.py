"""Ending a process by SIGTERM: it waits for its handlers, but not for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Stopping
from shared.shutdown import Shutdown, end_gracefully

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys, threading, time
from shared.shutdown import Shutdown, end_gracefully
shutdown = Shutdown()
end_gracefully(shutdown, grace_seconds={grace})
with shutdown.working():
    print("at work", flush=True)
    while not shutdown.begun:
        time.sleep(0.01)
    print("told", flush=True)
    {then}
print("done", flush=True)
threading.Event().wait()
"""


def test_before_the_end_calls_are_made_and_afterwards_none() -> None:
    shutdown = Shutdown()
    shutdown.check()
    shutdown.begin()
    with pytest.raises(Stopping):
        shutdown.check()


def test_waits_until_no_handler_is_at_work() -> None:
    shutdown = Shutdown()
    assert shutdown.wait(0)
    with shutdown.working():
        assert not shutdown.wait(0)
    assert shutdown.wait(0)


def test_a_handler_that_raises_is_at_work_no_more() -> None:
    shutdown = Shutdown()
    with pytest.raises(KeyError), shutdown.working():
        raise KeyError
    assert shutdown.wait(0)


def test_what_is_refused_at_the_end_is_handed_on_to_another_process() -> None:
    shutdown = Shutdown()
    shutdown.begin()
    assert shutdown.begun
    with pytest.raises(Stopping) as refused:
        shutdown.check()
    assert refused.value.delay_seconds > 0, "at once it would come to the same process"


class Signals:
    """The signals of a process that nobody ends: what handles SIGTERM, and what was sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, usual: Any = signal.SIG_DFL) -> None:
        self.handler: Any = usual
        self.sent: list[tuple[int, int]] = []
        self.arrived = threading.Event()
        monkeypatch.setattr(signal, "getsignal", lambda _: self.handler)
        monkeypatch.setattr(signal, "signal", self._handle)
        monkeypatch.setattr(os, "kill", self._kill)

    def _handle(self, number: int, handler: Any) -> None:
        assert number == signal.SIGTERM
        self.handler = handler

    def _kill(self, process: int, number: int) -> None:
        self.sent.append((process, number))
        self.arrived.set()

    def tell(self) -> None:
        """SIGTERM comes in."""
        self.handler(signal.SIGTERM, None)


def test_the_first_signal_begins_the_end_and_comes_again_when_the_last_handler_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signals, shutdown = Signals(monkeypatch, "the usual"), Shutdown()
    end_gracefully(shutdown)
    with shutdown.working():
        signals.tell()
        assert signals.handler == "the usual", "a second signal ends the process at once"
        assert shutdown._begun.wait(60)
        assert signals.sent == []
    assert signals.arrived.wait(60)
    assert signals.sent == [(os.getpid(), signal.SIGTERM)]


def test_without_a_handler_at_work_the_signal_takes_its_effect_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signals, shutdown = Signals(monkeypatch), Shutdown()
    end_gracefully(shutdown)
    assert not shutdown.begun
    signals.tell()
    assert signals.arrived.wait(60)
    assert shutdown.begun


def test_a_handler_that_does_not_come_back_has_its_grace_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    signals, shutdown = Signals(monkeypatch), Shutdown()
    end_gracefully(shutdown, grace_seconds=0)
    with shutdown.working():
        signals.tell()
        assert signals.arrived.wait(60)


def test_sigterm_takes_its_effect_when_the_handlers_are_done() -> None:
    assert "told" in _terminated(grace=60, then="pass")


def test_sigterm_takes_its_effect_when_the_grace_is_over() -> None:
    assert "done" not in _terminated(grace=0, then="threading.Event().wait()")


@pytest.mark.parametrize(("worker_runtime", "handled"), [("python", "True"), ("", "False")])
def test_only_in_the_functions_worker_does_the_app_handle_the_signal(
    worker_runtime: str, handled: str
) -> None:
    program = "import function_app, signal; print(signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL)"
    environment = {**os.environ, "FUNCTIONS_WORKER_RUNTIME": worker_runtime}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == handled


def _terminated(grace: int, then: str) -> list[str]:
    """What a process that is told to end while at work has printed when it is gone."""
    program = PROGRAM.format(grace=grace, then=then)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    process.terminate()
    printed = process.stdout.read().splitlines()
    # The parent sees a process that was terminated, as without us.
    assert process.wait(30) == -signal.SIGTERM
    return printed
