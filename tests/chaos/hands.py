"""People at SafetyAmp's own pages, who edit, switch off and delete at any time, and records without a key
that come and go there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from local.simulators.safetyamp_seed import SafetyAmpSeed
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.documents.state import state_from_json
from tests.e2e.expected_mail import Accounts, Mail
from tests.e2e.expected_people import Standing, standing

if TYPE_CHECKING:
    from tests.chaos.world import World

Row = dict[str, Any]
STRANGERS = 3
UNKNOWN_NUMBER = "990099"
STRANGER_MARK = "Stranger"
SOME = 3
MOST_DELETIONS = {"users": 5, "user_titles": 1, "assets": 1}
GUARD_PERCENT = 20
"""More, and the next listing is not believed: it shrank by more than GUARD_MAX_PERCENT."""


def with_strangers(seed: SafetyAmpSeed) -> SafetyAmpSeed:
    """A tenant that holds users, titles and assets of no source, first in every listing."""
    users: tuple[Row, ...] = tuple(
        {
            **{"first_name": "Guest", "last_name": f"{STRANGER_MARK} {number}"},
            **{"email": f"guest{number}@visitors.example", "timezone": "America/Chicago"},
            "title": f"{STRANGER_MARK} {number}",
        }
        for number in range(STRANGERS)
    )
    assets: tuple[Row, ...] = tuple({"name": f"{STRANGER_MARK} {number}"} for number in range(STRANGERS))
    return replace(seed, users=users + seed.users, assets=assets + seed.assets)


class Hands:
    """What they did is kept: `switched_off` (employee numbers, a deleted user's is taken out again),
    `wrote`, the last value by user and field, `wrote_after`, after how many calls of the sync that was, by
    user, `touched`, the numbers of all whose user they changed and the codes of departments, `numbers`, the
    right number of each user that has a wrong one, and `parted`, the former number of each that has none
    because another user has it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = world.dice
        self._safetyamp = world.tenant.safetyamp
        self._deletions: Counter[str] = Counter()
        self.switched_off = {
            row["emp_id"] for row in self._users() if row["emp_id"] and not row["system_access"]
        }
        self.wrote: dict[tuple[str, str], str] = {}
        self.wrote_after: dict[str, int] = {}
        self.touched: set[str] = set()
        self.numbers: dict[str, str] = {}
        self.parted: dict[str, str] = {}

    def edits(self) -> None:
        """A field that the source owns, or one that it does not."""
        rows = self._managed()
        if not rows:
            return
        row = self._dice.choice(rows)
        number = self._dice.randrange(10_000)
        owned = self._dice.choice(({"street": f"{number} Hand Lane"}, {"last_name": f"Byhand{number}"}, None))
        if owned is None:
            name, value = self._not_owned(row, number)
            owned = {name: value}
            self.wrote[row["id"], name] = value
            self.wrote_after[row["id"]] = len(self._safetyamp.calls)
        self._world.scheduler.note(f"somebody edits {next(iter(owned))} of user {row['emp_id']}")
        self._safetyamp.edit("users", row["id"], **owned)
        self.touched.add(row["emp_id"])

    def switches_off(self) -> None:
        """A person who is current in the source."""
        rows = [row for row in self._managed() if row["system_access"]]
        if rows:
            row = self._dice.choice(rows)
            self._world.scheduler.note(f"somebody switches off user {row['emp_id']}")
            self._safetyamp.edit("users", row["id"], system_access=False)
            self.switched_off.add(row["emp_id"])
            self.touched.add(row["emp_id"])

    def deletes(self) -> None:
        """A user whom the sync manages."""
        rows = self._managed()
        if rows and self._may_delete("users"):
            row = self._dice.choice(rows)
            self._deletes_user(row)

    def deletes_leavers(self) -> None:
        """Some users at once, and the people leave before anything has seen that."""
        rows = self._managed()
        rows = self._dice.sample(rows, min(SOME, len(rows)))
        for row in rows:
            if self._may_delete("users"):
                self._deletes_user(row)
        self._world.hr.lets_go([row["emp_id"] for row in rows])

    def _deletes_user(self, row: Row) -> None:
        self._deletions["users"] += 1
        self._world.scheduler.note(f"somebody deletes user {row['emp_id']}")
        self._safetyamp.remove("users", row["id"])
        self.switched_off.discard(row["emp_id"])
        self.touched.add(row["emp_id"])
        self.wrote = {key: value for key, value in self.wrote.items() if key[0] != row["id"]}

    def corrects_a_mail(self) -> None:
        """Of somebody whose e-mail no source owns; HR has another street of theirs."""
        rows = [row for row in self._known() if self._has_free_mail(row)]
        if rows:
            row = self._dice.choice(rows)
            value = f"corrected{self._dice.randrange(10_000)}.{row['emp_id']}@corrected.example"
            self._world.scheduler.note(f"somebody corrects the e-mail of user {row['emp_id']}")
            self._safetyamp.edit("users", row["id"], email=value)
            self.wrote[row["id"], "email"] = value
            self.wrote_after[row["id"]] = len(self._safetyamp.calls)
            self.touched.add(row["emp_id"])
            self._world.hr.moves(row["emp_id"])

    def moves_a_department(self) -> None:
        """Below any other cluster than the one where it is."""
        clusters = self._safetyamp.records("site_clusters")
        above = {row["parent_cluster_id"] for row in clusters}
        codes = {row["PRDept"].strip() for row in self._world.company.tables["bPRDP"]}
        # One with nothing below it: no cluster can come below itself.
        departments = [row for row in clusters if row["external_code"] in codes and row["id"] not in above]
        if departments:
            moved = self._dice.choice(departments)
            others = [row for row in clusters if row["id"] not in (moved["id"], moved["parent_cluster_id"])]
            parent = self._dice.choice(others)
            self._world.scheduler.note(f"somebody moves {moved['name']} below {parent['name']}")
            self._safetyamp.edit("site_clusters", moved["id"], parent_cluster_id=parent["id"])
            self.touched.add(moved["external_code"])

    def doubles_a_user(self) -> None:
        """Somebody of whom there is a user already gets a second one, with the same number."""
        rows = [row for row in self._managed() if self.is_known_by_mail(row, row["emp_id"])]
        if rows:
            row = self._dice.choice(rows)
            second = {name: value for name, value in row.items() if name not in ("id", "mobile_phone")}
            self._safetyamp.add("users", {**second, "email": f"second.{row['email']}"})
            self._world.seeded_keys["users", row["emp_id"]] += 1
            self.touched.add(row["emp_id"])

    def parts_two_users(self) -> None:
        """Of two users of one number the one with the person's e-mail loses its number; then the person
        leaves."""
        if self.parted:
            self._world.hr.lets_go(set(self.parted.values()) & set(self._of("current")))
            return
        rows, current = self._users(), self._of("current")
        numbers = Counter(row["emp_id"] for row in rows)
        wrong = {row["emp_id"] for row in rows if row["id"] in self.numbers}
        twins = [row for row in rows if row["emp_id"] in current and numbers[row["emp_id"]] > 1]
        twins = [row for row in twins if row["emp_id"] not in wrong]
        row = next((row for row in twins if self.is_known_by_mail(row, row["emp_id"])), None)
        if row:
            self._world.scheduler.note(f"somebody takes the number {row['emp_id']} from user {row['id']}")
            self._safetyamp.edit("users", row["id"], emp_id=None)
            self.parted[row["id"]] = row["emp_id"]
            self.touched.add(row["emp_id"])

    def moves_a_number(self) -> None:
        """Somebody gets a second user, which has the number from now on, and the first one none; sometimes
        the person leaves then."""
        # A second one without access would be their doing.
        known = [row for row in self._known() if row["system_access"]]
        rows = [row for row in known if self.is_known_by_mail(row, row["emp_id"])]
        if not rows:
            return
        row = self._dice.choice(rows)
        number = row["emp_id"]
        self._world.scheduler.note(f"somebody gives the number {number} of user {row['id']} to a second user")
        second = {name: value for name, value in row.items() if name not in ("id", "mobile_phone")}
        self._safetyamp.edit("users", row["id"], emp_id=None)
        self._safetyamp.add("users", {**second, "email": f"second.{row['email']}"})
        self.parted[row["id"]] = number
        self.touched.add(number)
        if self._dice.random() < 0.5:
            self._world.hr.lets_go([number])

    def known_of(self, people: Collection[Row]) -> list[tuple[Row, Row]]:
        """Those of these people of the payroll whom the sync knows, with their users."""
        numbers = {str(person["Employee"]): person for person in people}
        return [(numbers[row["emp_id"]], row) for row in self._known() if row["emp_id"] in numbers]

    def renumbers(self, user: Row, number: str) -> None:
        """A person's user gets the person's new number."""
        self._world.scheduler.note(f"somebody makes {number} of user {user['emp_id']}, as HR does")
        self._safetyamp.edit("users", user["id"], emp_id=number)
        self.touched |= {user["emp_id"], number}
        self.wrote.pop((user["id"], "email"), None)  # the new account's replaces it
        if user["emp_id"] in self.switched_off:
            self.switched_off.add(number)

    def is_known_by_mail(self, row: Row, number: str) -> bool:
        """Whether a user has the e-mail that the sources say for the number."""
        return bool(self._mail(number).address == row["email"])

    def changes_a_number(self) -> None:
        """A user that the sync knows gets an unknown number, a leaver's or a colleague's, swaps it with
        somebody, or has none any more."""
        rows = self._known()
        if len(rows) < len(("one", "other")):
            return
        row, other = self._dice.sample(rows, 2)
        numbers = [UNKNOWN_NUMBER, other["emp_id"], None, *self._dice.sample(self._of("left") or [None], 1)]
        number = self._dice.choice(numbers)
        self._gives_number(row, number)
        if number == other["emp_id"] and self._dice.random() < 0.5:
            self._gives_number(other, row["emp_id"])

    def _gives_number(self, row: Row, number: str | None) -> None:
        self._world.scheduler.note(f"somebody makes {number} of user {row['emp_id']}")
        self._safetyamp.edit("users", row["id"], emp_id=number)
        self.numbers[row["id"]] = row["emp_id"]
        self.touched |= {row["emp_id"], *([number] if number else [])}

    def mends_numbers(self) -> None:
        """About half of them, and those of all who are not current any more."""
        current = self._of("current")
        for user, number in list(self.numbers.items()):
            if number not in current or self._dice.random() < 0.5:
                self._world.scheduler.note(f"somebody gives user {number} its number back")
                self._safetyamp.edit("users", user, emp_id=number)
                del self.numbers[user]

    def can_delete(self, resource: str) -> bool:
        """Whether a stranger is left there."""
        return self._may_delete(resource) and bool(self._strangers(resource))

    def _may_delete(self, resource: str) -> bool:
        """The next listing must be believed; the loss of one record always is."""
        after = self._deletions[resource] + 1
        rows = len(self._safetyamp.records(resource))
        believed = after == 1 or after * 100 <= GUARD_PERCENT * rows
        return believed and after <= MOST_DELETIONS[resource]

    def delete_a_stranger(self, resource: str) -> None:
        """One of the first records, so that all later ones move up."""
        row = self._strangers(resource)[0]
        self._deletions[resource] += 1
        self._world.scheduler.note(f"somebody deletes {resource} {row['id']}")
        if resource == "user_titles":
            for user in self._users():
                if user["current_title_id"] == row["id"]:
                    self._safetyamp.edit("users", user["id"], current_title_id=None)
        self._safetyamp.remove(resource, row["id"])

    def move_the_first(self, resource: str) -> None:
        """The first record is listed last from now on, as where the order is that of the last change."""
        rows = self._safetyamp.records(resource)
        if rows:
            self._world.scheduler.note(f"{resource} are listed in another order")
            self._safetyamp.move_to_the_end(resource, rows[0]["id"])

    def _strangers(self, resource: str) -> list[Row]:
        name = "last_name" if resource == "users" else "name"
        return [row for row in self._safetyamp.records(resource) if str(row[name]).startswith(STRANGER_MARK)]

    def _users(self) -> list[Row]:
        return self._safetyamp.records("users")

    def _managed(self) -> list[Row]:
        """Users of people who are current, each the only one of its number, which is the right one."""
        current = set(self._of("current"))
        rows = self._users()
        numbers = Counter(row["emp_id"] for row in rows)
        return [
            row
            for row in rows
            if row["emp_id"] in current and numbers[row["emp_id"]] == 1 and row["id"] not in self.numbers
        ]

    def _known(self) -> list[Row]:
        """Those of them whom the sync knows by their id."""
        state = state_from_json("employees", read_json(self._world.store, paths.state("employees")))
        return [row for row in self._managed() if state and state.target_id(row["emp_id"]) == row["id"]]

    def _of(self, stands: Standing) -> list[str]:
        """Numbers of people who stand so."""
        return [
            str(row["Employee"])
            for row in self._world.company.own_employees()
            if row["HireDate"] and standing(row, self._world.today) == stands
        ]

    def _not_owned(self, row: Row, number: int) -> tuple[str, str]:
        """An e-mail where no source may replace it, else a field that no source has."""
        # Of somebody whom the sync does not know yet, an address may be on its way.
        if self._has_free_mail(row) and any(known["id"] == row["id"] for known in self._known()):
            return "email", f"byhand{number}.{row['emp_id']}@corrected.example"
        return "nickname", f"Nick{number}"

    def _has_free_mail(self, row: Row) -> bool:
        """Whether no source says an e-mail that would replace the user's."""
        mail = self._mail(row["emp_id"])
        return mail.only_for_new or mail.address is None

    def _mail(self, number: str) -> Mail:
        people = self._world.company.own_employees()
        person = next(one for one in people if str(one["Employee"]) == number)
        return Accounts(self._world.company.graph_users).mail(person)
