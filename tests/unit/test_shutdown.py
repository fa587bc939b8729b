"""Ending a process by SIGTERM: it waits for its handlers, but not for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import Stopping
from shared.shutdown import Shutdown

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
