"""How many documents and messages a run needs: each is a request that takes time and costs money, and what is
read twice can be read differently the second time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from local.bench.counting import counted
from tests.e2e.rig import START, Rig
from tests.e2e.small_company import FIRST_NUMBER, new_person, small_company

PEOPLE = 30
SOMEBODY, NEWCOMER = FIRST_NUMBER + 1, FIRST_NUMBER + PEOPLE + 1
TWENTY = range(FIRST_NUMBER + 4, FIRST_NUMBER + 24)

UNCHANGED = Counter(
    {
        # Are entities paused, asked before the claim and after it: a pause that comes later finds the run.
        "read control.json": 2,
        # Which rules the run keeps; there are none but the default file's.
        "read rules/active.json": 1,
        "create runs/RUN/run.json": 1,
        # Is the run's id free; then once for each of five entities. Each ends once, the last with the run.
        "read runs/RUN/run.json": 6,
        "replace runs/RUN/run.json": 5,
        "create runs/RUN/ENTITY/plan.json": 5,
        # Jobs look into the departments' state, employees into those of departments, jobs and titles.
        "read state/ENTITY.json.gz": 9,
        "write runs/RUN/report.json": 1,
        "write runs/RUN/report.html": 1,
        "read state/totals.json": 1,
        "replace state/totals.json": 1,
        # Claimed and released.
        "read runs/active.json": 2,
        "replace runs/active.json": 2,
        "message entity-sync departments start": 1,
        "message entity-sync titles start": 1,
        "message entity-sync jobs release": 1,
        "message entity-sync employees release": 1,
        "message entity-sync vehicles release": 1,
    }
)
"""A run of five entities in which nothing has changed and of which there is nothing to tell."""

A_BATCH = Counter(
    {
        "create runs/RUN/ENTITY/batches/PLAN/NUMBER.json": 1,
        "message change-batches employees release": 1,
        # The entity is noted to be at work, and its end is another handler's.
        "replace runs/RUN/run.json": 1,
        "read runs/RUN/run.json": 1,
        # By the batch's handler and for the report.
        "read runs/RUN/ENTITY/plan.json": 2,
        # Has it ended already; then for the merge and for the report.
        "read runs/RUN/ENTITY/outcomes/NUMBER.json": 3,
        "create runs/RUN/ENTITY/outcomes/NUMBER.json": 1,
        "read runs/RUN/ENTITY/batches/PLAN/NUMBER.json": 1,
        "create runs/RUN/ENTITY/progress/NUMBER.json": 1,
        "acquire runs/RUN/ENTITY/progress/NUMBER.json": 1,
        "read runs/RUN/ENTITY/progress/NUMBER.json": 1,
        # Before the first change, and under the lease before the outcome.
        "write runs/RUN/ENTITY/progress/NUMBER.json": 2,
        "release runs/RUN/ENTITY/progress/NUMBER.json": 1,
        "read state/switched-off.json": 1,
        "read state/ENTITY.json.gz": 1,
        "replace state/ENTITY.json.gz": 1,
    }
)
"""What a batch of up to ten updates of employees takes on top."""

TEN_MORE = Counter({"write runs/RUN/ENTITY/progress/NUMBER.json": 1})

A_CREATION = Counter({"read state/ENTITY.json.gz": 3, "read state/lookups/roles.json": 1})
"""Its references are looked up: region or department, office or job, title; and the role."""


class CompanyRig(Rig):
    """A company of thirty after two runs, without Redis: nothing is cached. The window is free again."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, small_company(START.date(), PEOPLE), GUARD_MAX_PERCENT="100")
        self.run()
        self.run()
        self.clock.advance(timedelta(minutes=2))

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
def rig(tmp_path: Path) -> Iterator[CompanyRig]:
    rig = CompanyRig(tmp_path)
    yield rig
    rig.close()


Happening = Callable[[CompanyRig], None]

CASES: dict[str, tuple[Happening, Counter[str], int]] = {
    "nothing has changed": (lambda rig: None, UNCHANGED, 37),
    "one has moved": (lambda rig: rig.move(SOMEBODY), UNCHANGED + A_BATCH, 56),
    "twenty have moved": (lambda rig: rig.move(*TWENTY), UNCHANGED + A_BATCH + TEN_MORE, 57),
    "one is new": (lambda rig: rig.hire(NEWCOMER), UNCHANGED + A_BATCH + A_CREATION, 60),
}
"""What happens, what it may take, and how many documents these are in all."""


@pytest.mark.parametrize("case", CASES)
def test_a_run_uses_no_document_and_no_message_more_often_than_this(rig: CompanyRig, case: str) -> None:
    happen, allowed, documents = CASES[case]
    happen(rig)
    operations = counted(rig.stack.runtime)
    assert rig.run().report["phase"] == "done"
    rig.drain()
    too_often = operations.documents + operations.messages - allowed
    assert not too_often, f"more often than before: {dict(too_often)}"
    assert operations.documents.total() <= documents
