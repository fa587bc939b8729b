"""Two releases of the code side by side, in processes of their own, on one set of documents and one bus."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.releases import RELEASE_BEFORE, unpack
from tests.chaos.seeds import trace_of
from tests.chaos.two_releases import TwoReleases


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of the release before."""
    return unpack(RELEASE_BEFORE, tmp_path_factory.mktemp("before"))


def test_a_seed_replays_identically(before: Path) -> None:
    first, second = (trace_of(1, make=TwoReleases, before=before) for _ in range(2))
    assert first == second


def test_a_commit_that_is_not_in_the_clone_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="git fetch --unshallow"):
        unpack("0123456789012345678901234567890123456789", tmp_path)
