"""Which tests this Python collects, and what pytest says beside their results."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tests import real_parts

if TYPE_CHECKING:
    import pytest

# Microsoft's worker is a library from Python 3.13 on. Not a skip: `make test` runs these tests on 3.13.
collect_ignore = [] if sys.version_info >= (3, 13) else ["worker"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the real servers and drivers that the tests used."""
    lines = real_parts.summary()
    if lines:
        terminalreporter.section("real parts")
        for line in lines:
            terminalreporter.line(line)
