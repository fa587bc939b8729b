"""The app in Microsoft's worker, and a company behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.rig import Rig
from tests.real_parts import WORKER, required

if TYPE_CHECKING:
    from tests.worker.functions_host import FunctionsHost


@pytest.fixture(scope="session")
def host() -> Iterator[FunctionsHost]:
    """The app, indexed and loaded."""
    required(WORKER)
    from tests.worker.functions_host import FunctionsHost

    host = FunctionsHost()
    yield host
    host.stop()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """What the functions work with: simulated upstreams, documents in memory, a bus in this process."""
    rig = Rig(tmp_path)
    yield rig
    rig.close()
