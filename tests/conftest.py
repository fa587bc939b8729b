"""Which tests this Python collects, and what pytest says beside their results."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests import real_parts

# Microsoft's worker is a library from Python 3.13 on. Not a skip: `make test` runs these tests on 3.13.
collect_ignore = [] if sys.version_info >= (3, 13) else ["worker"]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that speaks what this worker of it has used."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["real_parts"] = real_parts.noted()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear what a worker has used; one that crashed says nothing."""
    if "real_parts" in getattr(node, "workeroutput", {}):
        real_parts.note(node.workeroutput["real_parts"])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the real servers and drivers that the tests used."""
    lines = real_parts.summary()
    if lines:
        terminalreporter.section("real parts")
        for line in lines:
            terminalreporter.line(line)
