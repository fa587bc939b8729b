"""What HR and IT do to the sources in the middle of everything: hire, let go, move, hand values over."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from local.company.accounts import account
from local.company.model import OPEN, OWN_COMPANY, vista_date
from tests.e2e.expected_people import standing

if TYPE_CHECKING:
    from tests.chaos.world import World

Row = dict[str, Any]
Written = tuple[Row, str, Any, Any]
"""A row, a column, what was there and what is there since."""
CHANGED_AREA = "985"
PLAIN_PHONE = len("NNN-NNN-NNNN")
MISTAKEN = 0.7
"""How large a part of the people a mistake terminates: so many that no guard lets them go."""
MENDED_AFTER_MINUTES = (5, 60)
TWICE = "once more, after a blank"
ODD_PLACES: tuple[tuple[str, str, Any], ...] = (
    ("bPRDP", "Description", None),
    ("bPRDP", "Description", b"\x00\x01"),
    ("bPRDP", "PRDept", TWICE),
    ("bJCCM", "Department", "1O"),
)
"""Table, column and value."""


class Hr:
    """Changes the company in place and publishes it. `ever_left` are the numbers of all who ever truly left;
    who was terminated by mistake is none of them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._company = world.company
        self._dice = world.dice
        self._number = 0
        self._mistaken: list[Row] = []
        self._renumbered: list[Row] = []
        self._written: list[list[Written]] = []
        self._odd_places: list[tuple[datetime, Callable[[], None]]] = []
        self.mend_at = world.clock.now()
        self.ever_left = {str(row["Employee"]) for row in self._employees() if row["TermDate"]}

    def changes_something(self) -> None:
        """An ordinary day's change."""
        ordinary: tuple[Callable[[], None], ...] = (
            self._hire,
            self._let_go,
            self._move,
            self._marry,
            self._promote,
            self._open_job,
            self._rename_vehicle,
            self._rehire,
            self._take_back,
        )
        self._do(self._dice.choice(ordinary))

    def happens(self, kind: str) -> None:
        """The change of a kind of fault."""
        changes: dict[str, Callable[[], None]] = {
            "phone handed over": self._hand_phone_over,
            "phones swapped": self._swap_phones,
            "freed phone hired": self._hire_with_freed_phone,
            "holder of a shared phone leaves": self._let_go_of_a_phone,
            "mail handed over": self._hand_mail_over,
            "mails swapped": self._swap_mails,
            "mail with an apostrophe": self._pass_apostrophe_on,
            "region respelled": self._respell_region,
            "odd row of a place": self._write_odd_place,
            "made by hand first": self._follow_hands,
            "renumbered by hand first": self._renumber,
            "mistake in Vista": self._terminate_by_mistake,
        }
        self._do(changes[kind])

    @property
    def is_mistaken(self) -> bool:
        """Whether Vista shows people as terminated who are not."""
        return bool(self._mistaken)

    @property
    def left(self) -> set[str]:
        """Employee numbers of all who have left and have not come back."""
        mistaken = {id(row) for row in self._mistaken}
        return {
            str(row["Employee"]) for row in self._employees() if row["TermDate"] and id(row) not in mistaken
        }

    def lets_go(self, numbers: Collection[str]) -> None:
        """They have left since yesterday."""
        for row in self._employees():
            if str(row["Employee"]) in numbers:
                self._let_go(row)
        self._world.publish_company()

    def takes_back(self) -> None:
        """Undo about half of what was changed and can be undone."""
        self._world.scheduler.note("HR takes changes back")
        for _ in range((len(self._written) + 1) // 2):
            self._take_back()
        self._world.publish_company()

    def mends(self) -> None:
        """Undo the mistake."""
        for row in self._mistaken:
            row.update(TermDate=None, ActiveYN="Y")
        self._mistaken = []
        self._world.scheduler.note("HR mends the mistake")
        self._world.publish_company()

    def _do(self, change: Callable[[], None]) -> None:
        self._world.scheduler.note(f"HR: {change.__name__.strip('_')}")
        change()
        self._world.publish_company()

    def _write(self, *columns: tuple[Row, str, Any]) -> None:
        """Change columns that can only be taken back together."""
        self._written.append([(row, name, row.get(name), value) for row, name, value in columns])
        for row, name, value in columns:
            row[name] = value

    def _take_back(self) -> None:
        """As it was before: what the sync may hold for settled."""
        if not self._written:
            return
        change = self._written.pop(self._dice.randrange(len(self._written)))
        rows = [id(row) for row, *_ in change]
        others = [row for row in (*self._employees(), *self._company.graph_users) if id(row) not in rows]
        taken = {row.get(name) for row in others for name in ("Phone", "CellPhone", "mail")} - {None}
        if all(row.get(name) == after and before not in taken for row, name, before, after in change):
            for row, name, before, _ in change:
                row[name] = before

    def _employees(self) -> list[Row]:
        return self._company.own_employees()

    def _current(self) -> list[Row]:
        """Ordinary people who work here, the mistakenly terminated ones left alone."""
        mistaken = {id(row) for row in self._mistaken}
        return [
            row
            for row in self._employees()
            if row["HireDate"]
            and row["TermDate"] is None
            and id(row) not in mistaken
            and standing(row, self._world.today) == "current"
        ]

    def _with_own_phone(self) -> list[Row]:
        phones = [row["Phone"] for row in self._employees()]
        return [
            row
            for row in self._current()
            if row["Phone"] and len(row["Phone"]) == PLAIN_PHONE and phones.count(row["Phone"]) == 1
        ]

    def _with_own_account(self) -> list[tuple[Row, Row]]:
        """People with their one enabled account."""
        mails = [user.get("mail") for user in self._company.graph_users]
        found = []
        for row in self._current():
            accounts = [
                user for user in self._company.graph_users if user.get("employeeId") == str(row["Employee"])
            ]
            if len(accounts) == 1 and accounts[0]["accountEnabled"]:
                mail = accounts[0]["mail"]
                if mail and mail.isascii() and "onmicrosoft" not in mail and mails.count(mail) == 1:
                    found.append((row, accounts[0]))
        return found

    def disables_accounts(self, count: int) -> None:
        """Before anybody has read them: an address read earlier might still be on its way."""
        for _, user in self._dice.sample(self._with_own_account(), count):
            user["accountEnabled"] = False

    def moves(self, number: str) -> None:
        """Somebody has another street."""
        self._number += 1
        for row in self._employees():
            if str(row["Employee"]) == number:
                self._write((row, "Address", f"{self._number} Corrected Street"))
        self._world.publish_company()

    def _yesterday(self) -> str:
        # Not today: it may not have come yet where the sync's day begins later.
        return vista_date(self._world.today - timedelta(days=1))

    def _fresh_phone(self) -> str:
        self._number += 1
        return f"{CHANGED_AREA}-555-{self._number:04d}"

    def _hire(self, phone: str | None = None) -> None:
        pattern = self._dice.choice(self._with_own_phone() or self._employees())
        number = max(row["Employee"] for row in self._employees()) + 1
        person = {
            **pattern,
            **{"Employee": number, "FirstName": "Nova", "LastName": f"Newhire{number}"},
            **{"SortName": f"NEWHIRE{number}", "HireDate": self._yesterday(), "CellPhone": None},
            **{"Phone": phone or self._fresh_phone(), "Email": None, "TermDate": None, "ActiveYN": "Y"},
        }
        self._company.tables["bPREH"].append(person)
        self._company.graph_users.append(account(person, self._dice))

    def _let_go(self, person: Row | None = None) -> None:
        # Nobody whose phone others have, too: they wait for it, which is a kind of its own.
        current = self._with_own_phone()
        if person or current:
            person = person or self._dice.choice(current)
            person.update(TermDate=self._yesterday(), ActiveYN="N")
            self.ever_left.add(str(person["Employee"]))

    def _rehire(self) -> None:
        left = [row for row in self._employees() if row["TermDate"] and row["HireDate"]]
        away = (*self._mistaken, *self._renumbered)
        left = [row for row in left if all(row is not other for other in away)]
        if left:
            self._dice.choice(left).update(TermDate=None, ActiveYN="Y")

    def _move(self) -> None:
        for person in self._dice.sample(current := self._current(), min(2, len(current))):
            self._number += 1
            self._write((person, "Address", f"{self._number} Magnolia Bend"))

    def _marry(self) -> None:
        # With a new number and a new name at once nothing but a listing shows whose user it is.
        renumbered = {id(row) for row in self._renumbered}
        for person in [row for row in self._current() if id(row) not in renumbered][-1:]:
            self._number += 1
            self._write((person, "LastName", f"Married{self._number}"))

    def _promote(self) -> None:
        current = self._current()
        if current:
            self._number += 1
            title = self._dice.choice((current[0]["udEmpTitle"], f"Chief {self._number}"))
            self._write((self._dice.choice(current), "udEmpTitle", title))

    def _follow_hands(self) -> None:
        """A new title of somebody, or a new truck, which somebody has entered in SafetyAmp already."""
        self._number += 1
        safetyamp, current = self._world.tenant.safetyamp, self._current()
        if current and self._dice.random() < 0.5:
            title = f"Quick {self._number}"
            safetyamp.add("user_titles", {"name": title})
            self._write((self._dice.choice(current), "udEmpTitle", title))
        elif assets := safetyamp.records("assets"):
            name, serial = f"Quick Unit {self._number}", f"QUICK{self._number:04d}"
            entered = {name: value for name, value in assets[-1].items() if name != "id"}
            safetyamp.add(
                "assets", {**entered, "name": "New Truck", "serial": serial, "current_user_id": None}
            )
            truck = {**self._company.vehicles[0], "id": f"9{self._number:09d}", "name": name}
            self._company.vehicles.append({**truck, "serial": serial, "gateway": {"serial": serial}})

    def _renumber(self) -> None:
        """Somebody ends under one number and begins under a new one, with a new account; somebody else gives
        their user the new number at once."""
        users = self._world.hands.known_of(self._with_own_phone())
        if not users:
            return
        person, user = self._dice.choice(users)
        number = max(row["Employee"] for row in self._employees()) + 1
        phone = self._dice.choice((person["Phone"], self._fresh_phone()))
        again = {**person, "Employee": number, "HireDate": self._yesterday(), "Email": None, "Phone": phone}
        self._let_go(person)
        self._renumbered += (person, again)
        self._company.tables["bPREH"].append(again)
        self._company.graph_users.append(account(again, self._dice))
        self._world.hands.renumbers(user, str(number))

    def _open_job(self) -> None:
        taken = (int(row["Job"].strip().rstrip(".")) for row in self._company.tables["bJCJM"])
        code = f"{max(taken) + 10}."
        department = self._company.tables["bPRDP"][0]["PRDept"]
        key = {"JCCo": OWN_COMPANY, "Contract": code}
        self._company.tables["bJCCM"].append(
            {**key, "Description": "New Works", "Department": department, "ContractStatus": OPEN}
        )
        place = {"ShipAddress": "1 Start Road", "ShipCity": "Houma", "ShipState": "LA", "ShipZip": "70360"}
        job = {"Job": code, "Description": "New Works", "JobStatus": OPEN, **place, "ShipCountry": "US"}
        self._company.tables["bJCJM"].append({**key, **job})

    def _rename_vehicle(self) -> None:
        vehicle = self._dice.choice(self._company.vehicles)
        self._write((vehicle, "name", f"{vehicle['name']} R"))

    def _respell_region(self) -> None:
        """Of a department whose region is there: by which spelling a new one would go is a matter of luck."""
        departments = [
            row
            for row in self._company.tables["bPRDP"]
            if row["PRCo"] == OWN_COMPANY and row["udRegion"] in self._company.seed.regions
        ]
        if departments:
            department = self._dice.choice(departments)
            region = department["udRegion"]
            self._write((department, "udRegion", self._dice.choice((region.upper(), f" {region.lower()}"))))

    def _hand_phone_over(self) -> None:
        people = self._with_own_phone()
        if len(people) > 1:
            giver, taker = self._dice.sample(people, 2)
            self._write((giver, "Phone", self._fresh_phone()), (taker, "Phone", giver["Phone"]))

    def _swap_phones(self) -> None:
        people = self._with_own_phone()
        if len(people) > 1:
            one, other = self._dice.sample(people, 2)
            self._write((one, "Phone", other["Phone"]), (other, "Phone", one["Phone"]))

    def _hire_with_freed_phone(self) -> None:
        people = self._with_own_phone()
        if people:
            giver = self._dice.choice(people)
            phone = giver["Phone"]
            if self._dice.random() < 0.5:
                giver["Phone"] = self._fresh_phone()
            else:
                self._let_go(giver)
            self._hire(phone)

    def _let_go_of_a_phone(self) -> None:
        phones = [row["Phone"] for row in self._current()]
        holders = [row for row in self._current() if row["Phone"] and phones.count(row["Phone"]) > 1]
        if holders:
            self._let_go(self._dice.choice(holders))

    def _hand_mail_over(self) -> None:
        pairs = self._with_own_account()
        if len(pairs) > 1:
            (_, giver), (_, taker) = self._dice.sample(pairs, 2)
            self._number += 1
            renamed = f"renamed{self._number}@pelicanfork.example"
            self._write((giver, "mail", renamed), (taker, "mail", giver["mail"]))

    def _swap_mails(self) -> None:
        pairs = self._with_own_account()
        if len(pairs) > 1:
            (_, one), (_, other) = self._dice.sample(pairs, 2)
            self._write((one, "mail", other["mail"]), (other, "mail", one["mail"]))

    def _pass_apostrophe_on(self) -> None:
        """Somebody's address gets one; the next time somebody else gets that address."""
        pairs = self._with_own_account()
        holders = [account for _, account in pairs if "'" in account["mail"]]
        others = [account for _, account in pairs if "'" not in account["mail"]]
        if not others:
            return
        other, self._number = self._dice.choice(others), self._number + 1
        if not holders:
            self._write((other, "mail", f"pat.o'brien{self._number}@pelicanfork.example"))
            return
        holder = self._dice.choice(holders)
        left = self._dice.choice((other["mail"], f"renamed{self._number}@pelicanfork.example"))
        self._write((holder, "mail", left), (other, "mail", holder["mail"]))

    def _write_odd_place(self) -> None:
        """A department or a contract with a value that is none, for a while or for good."""
        table, name, value = self._dice.choice(ODD_PLACES)
        rows = self._company.tables[table]
        row = self._dice.choice([row for row in rows if OWN_COMPANY in (row.get("PRCo"), row.get("JCCo"))])
        if value is not TWICE:
            mend: Callable[[], None] = functools.partial(row.__setitem__, name, row[name])
            row[name] = value
        else:
            again = {**row, name: f" {row[name].strip()}"}
            if any(other[name] == again[name] for other in rows):
                return
            rows.append(again)
            mend = functools.partial(rows.remove, again)
        moment = self._world.clock.now() + timedelta(minutes=self._dice.uniform(*MENDED_AFTER_MINUTES))
        self._odd_places.append((moment, mend))

    def mends_places(self) -> None:
        """Those rows whose time has come; what is left at the end of the storm stays."""
        now = self._world.clock.now()
        due = [place for place in self._odd_places if place[0] <= now]
        if due:
            for _, mend in reversed(due):
                mend()
            self._odd_places = [place for place in self._odd_places if place not in due]
            self._world.scheduler.note("HR mends a department or a contract")
            self._world.publish_company()

    def _terminate_by_mistake(self) -> None:
        current = self._current()
        self._mistaken = self._dice.sample(current, round(len(current) * MISTAKEN))
        for row in self._mistaken:
            row.update(TermDate=self._yesterday(), ActiveYN="N")
        self.mend_at = self._world.clock.now() + timedelta(minutes=self._dice.uniform(*MENDED_AFTER_MINUTES))
