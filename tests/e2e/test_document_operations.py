"""How many documents and messages a run needs: each is a request that costs money and time, and whatever is
read twice can be read differently the second time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.bench.counting import Operations, counted
from tests.e2e.rig import START, Rig
from tests.e2e.small_company import FIRST_NUMBER, new_person, small_company

PEOPLE = 30
SOMEBODY, NEWCOMER = FIRST_NUMBER + 1, FIRST_NUMBER + PEOPLE + 1
MOVED = range(FIRST_NUMBER + 4, FIRST_NUMBER + 24)


class CountedRig(Rig):
    """A company of thirty after two runs, without Redis: nothing is cached."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, small_company(START.date(), PEOPLE), GUARD_MAX_PERCENT="100")
        self.run()
        self.run()
        self.operations: Operations = counted(self.stack.runtime)

    def move(self, *numbers: int) -> None:
        """These people have another address."""
        for number in numbers:
            self.person(number)["Address"] = f"{number} Other Street"
        self.publish()

    def hire(self, number: int) -> None:
        """Somebody new."""
        new_person(self.company, number)
        self.publish()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[CountedRig]:
    rig = CountedRig(tmp_path)
    yield rig
    rig.close()


def nothing(_: CountedRig) -> None:
    """The company is as it was."""


Happening = Callable[[CountedRig], None]

CASES: dict[str, tuple[Happening, int, int, int]] = {
    "nothing has changed": (nothing, 36, 5, 0),
    "one has moved": (lambda rig: rig.move(SOMEBODY), 56, 6, 1),
    "twenty have moved": (lambda rig: rig.move(*MOVED), 67, 7, 20),
    "one is new": (lambda rig: rig.hire(NEWCOMER), 60, 6, 1),
}
"""What happens, and how many documents, messages and writes it may take."""


@pytest.mark.parametrize("case", CASES)
def test_a_run_uses_no_more_documents_and_messages_than_this(rig: CountedRig, case: str) -> None:
    happen, documents, messages, writes = CASES[case]
    happen(rig)
    ran = rig.run()
    rig.drain()
    used = rig.operations
    assert len(ran.writes) == writes
    assert used.documents.total() <= documents, used.table()
    assert used.messages.total() <= messages, used.table()
