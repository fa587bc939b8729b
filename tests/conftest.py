"""What pytest says beside the tests' results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests import real_parts

if TYPE_CHECKING:
    import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the real servers and drivers that the tests used."""
    lines = real_parts.summary()
    if lines:
        terminalreporter.section("real parts")
        for line in lines:
            terminalreporter.line(line)
