"""The simulated world under rules of an operator, who restricts who and what is synced, and puts other rules
in force while runs are under way.

What must hold of the rules is in `ruled_checks.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from local.simulators.exchange import SimRequest, SimResponse
from local.simulators.safetyamp import SafetyAmpSimulator
from shared.errors import RulesConflict
from shared.runtime import Runtime
from shared.storage.documents import from_json
from shared.sync.decisions.record import Author
from shared.sync.decisions.rules import push
from shared.sync.documents.plans import read_batch
from shared.sync.documents.rules import PushedRules, add_pushed, digest_of_text, read_pushed, store_rules
from tests.chaos.random_rules import (
    OUTSIDE_GROUP,
    Restrictions,
    Version,
    draw_restrictions,
    draw_version,
    text_of,
)
from tests.chaos.world import STORMY, World

if TYPE_CHECKING:
    from local.simulators.safetyamp_store import Id

Row = dict[str, Any]

OPERATOR = Author("local", "chaos")
EMPTIED = 0.5
"""Of the streets that hands write."""
OWN_CELL = "225-555-8"
"""How the cell phones begin that are not also somebody's phone."""
SOME = 4
PUSHES, STREETS, DETAILS = (1, 2), (2, 4), (2, 4)
"""How many versions follow the first one, how often hands empty or fill a street, and how often HR changes
what rules look at."""
LATER = timedelta(seconds=10)
"""When something is tried again that could not happen."""
PUSHED = "rules pushed"
"""What is counted beside the faults."""


class Write(NamedTuple):
    """What the sync wrote to a user, or tried to. `number` is the employee number that the user should have;
    `before` the row until then, None where there is none."""

    at: datetime
    method: str
    target_id: Id | None
    number: str | None
    sent: Row
    before: Row | None

    @property
    def is_creation(self) -> bool:
        """Whether a user is made."""
        return self.target_id is None


class Witness:
    """Sees everything that the sync writes to users when it takes effect, and what hands edit."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._safetyamp: SafetyAmpSimulator = world.tenant.safetyamp
        self._answer, self._edit = self._safetyamp._answer, self._safetyamp.edit
        self.writes: list[Write] = []
        self.edits: list[tuple[datetime, Id, Row]] = []
        instance: dict[str, Any] = vars(self._safetyamp)
        instance.update(_answer=self._sees_call, edit=self._sees_edit)

    def _sees_call(self, request: SimRequest) -> SimResponse:
        _, _, resource, *ids = request.path.split("/")
        if request.method == "GET" or resource != "users":
            return self._answer(request)
        target_id = ids[0] if ids else None
        sent, before = from_json(request.body), self._user(target_id)
        assert isinstance(sent, dict)
        number = self._number(before) if target_id else sent.get("emp_id")
        self.writes.append(Write(self._world.clock.now(), request.method, target_id, number, sent, before))
        return self._answer(request)

    def _sees_edit(self, resource: str, record_id: Id, **fields: Any) -> None:
        if resource == "users":
            self.edits.append((self._world.clock.now(), record_id, fields))
        self._edit(resource, record_id, **fields)

    def _user(self, target_id: Id | None) -> Row | None:
        return next((row for row in self._safetyamp.records("users") if row["id"] == target_id), None)

    def _number(self, row: Row | None) -> str | None:
        """None for a user whom somebody has deleted."""
        if row is None:
            return None
        hands = self._world.hands
        return hands.numbers.get(row["id"]) or hands.parted.get(row["id"]) or row["emp_id"]


@dataclass
class Ruled(World):
    """A world in which no run begins under the default file. `restrictions` None: they are drawn. `often`
    multiplies also what hands do to streets."""

    restrictions: Restrictions | None = None
    versions: dict[str, Version] = field(default_factory=dict)
    """What was pushed, by the digest of its text."""

    def __post_init__(self) -> None:
        super().__post_init__()
        dice = self.dice
        people = self.company.own_employees()
        drawn = draw_restrictions(dice, [str(row["Employee"]) for row in people])
        self.restricted = self.restrictions or drawn
        for row in dice.sample(people, 2 * SOME):
            row["CellPhone"] = f"{OWN_CELL}{row['Employee'] % 1000:03d}"
        for row in dice.sample(people, SOME):
            row["LastName"] = row["LastName"].upper()
        self.publish_company()
        self.witness = Witness(self)
        for _ in range(SOME):
            self._somebody_empties_a_street()
        self._put_in_force(self._new_version())
        self._planned = sorted(
            (
                *self._moments(PUSHES, self._somebody_pushes),
                *(
                    one
                    for _ in range(self.often)
                    for one in self._moments(STREETS, self._somebody_writes_a_street)
                ),
                *self._moments(DETAILS, self._hr_changes_a_detail),
            ),
            key=lambda planned: planned[0],
            reverse=True,
        )

    def violations(self) -> list[str]:
        """What the rules say, and what holds whatever they say."""
        from tests.chaos.ruled_checks import violations

        return violations(self)

    @property
    def last_version(self) -> Version:
        """The version that is in force."""
        return self.versions[read_pushed(self.store)[-1].digest]

    def is_left_alone(self, number: str | None) -> bool:
        """Whether the rules keep the sync from writing to whoever has this number."""
        restrictions = self.restricted
        if number is None or number in restrictions.protected:
            return number is not None
        person = next((row for row in self.company.own_employees() if str(row["Employee"]) == number), None)
        if person is None:
            return False
        is_outside = restrictions.is_scoped and person["PRGroup"] == OUTSIDE_GROUP
        return is_outside or (restrictions.pilot is not None and number not in restrictions.pilot)

    def _new_version(self) -> str:
        version = draw_version(self.dice)
        text = text_of(self.restricted, version)
        self.versions[digest_of_text(text)] = version
        return text

    def _put_in_force(self, text: str) -> None:
        digest = store_rules(self.store, text)
        version = PushedRules(1, digest, self.clock.now().isoformat(), "before all", OPERATOR.known)
        add_pushed(self.store, version)

    def _moments(
        self, times: tuple[int, int], happening: Callable[[], bool]
    ) -> list[tuple[datetime, Callable[[], bool]]]:
        return [
            (self.clock.now() + STORMY * self.dice.random(), happening)
            for _ in range(self.dice.randint(*times))
        ]

    def _happen(self) -> None:
        super()._happen()
        if self._planned and self.clock.now() >= self._planned[-1][0]:
            moment, happening = self._planned.pop()
            if not happening():
                self._planned.append((moment + LATER, happening))
                self._planned.sort(key=lambda planned: planned[0], reverse=True)

    def _somebody_pushes(self) -> bool:
        """While a run is under way, through a process that may die of it."""
        if self._active_run_id() is None or not any(map(self._is_idle, self.processes)):
            return False
        self.faults.count(PUSHED)
        self.act("operator pushes rules", push_rules, self._new_version(), refusals=(RulesConflict,))
        return True

    def _somebody_writes_a_street(self) -> bool:
        """Empties one, or fills one that the run at work is about to fill."""
        if self.dice.random() < EMPTIED:
            self._somebody_empties_a_street()
            return True
        about = self._about_to_fill()
        if about:
            row = self.dice.choice(about)
            self.scheduler.note(f"somebody fills the street of user {row['emp_id']}")
            street = f"{self.dice.randrange(10_000)} Filled Lane"
            self.tenant.safetyamp.edit("users", row["id"], street=street)
            self.hands.touched.add(row["emp_id"])
        return bool(about)

    def _about_to_fill(self) -> list[Row]:
        run_id = self._active_run_id()
        ids = set()
        for path in self.store.list(f"runs/{run_id}/employees/batches/") if run_id else ():
            *_, plan_id, name = path.split("/")
            number = int(name.removesuffix(".json"))
            ids |= {
                change.target_id
                for change in read_batch(self.store, str(run_id), "employees", plan_id, number)
                if change.fill
            }
        users = self.tenant.safetyamp.records("users") if ids else []
        return [row for row in users if row["id"] in ids and row["emp_id"] and not row["street"]]

    def _somebody_empties_a_street(self) -> None:
        rows = [row for row in self.tenant.safetyamp.records("users") if row["emp_id"] and row["street"]]
        if rows:
            row = self.dice.choice(rows)
            self.scheduler.note(f"somebody empties the street of user {row['emp_id']}")
            self.tenant.safetyamp.edit("users", row["id"], street=None)
            self.hands.touched.add(row["emp_id"])

    def _hr_changes_a_detail(self) -> bool:
        """Of what the rules look at: mostly of somebody else than whom the usual changes concern."""
        row = self.dice.choice(self.company.own_employees())
        name, values = self.dice.choice(
            (
                ("MidName", ("Q", "Z", None)),
                ("City", ("Gray", "HOUMA")),
                ("Address2", ("Unit 5", None)),
                ("Address", ("1 Detail Road", "2 Detail Road")),
            )
        )
        row[name] = self.dice.choice(values)
        self.scheduler.note(f"HR writes {name} of {row['Employee']}")
        self.publish_company()
        return True


def push_rules(runtime: Runtime, text: str) -> None:
    """What the API does."""
    push(runtime, text, OPERATOR, "chaos")
