"""A SafetyAmp whose records change places while its pages are read, and a company of several pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from local.company.model import Company
from local.simulators.adapter import SimulatorAdapter
from tests.e2e.rig import START, Rig
from tests.e2e.small_company import contract_row, job_row, small_company

KEYS = {"sites": "ext_id", "user_titles": "name", "users": "emp_id", "assets": "serial"}
"""Resources whose listing has pages, and by what a record of each is told."""

ENTITY_OF = {"sites": "jobs", "user_titles": "titles", "users": "employees", "assets": "vehicles"}
PEOPLE, JOBS, VEHICLES = 60, 40, 40

STRANGE_IDS = (999_999, "zzzzz")
"""Ids of records that somebody made by hand."""

Act = Callable[[Rig, str], None]


def paged_company() -> Company:
    """Several pages of everything: everybody has a title of their own."""
    company = small_company(START.date(), PEOPLE)
    for person in company.tables["bPREH"]:
        person["udEmpTitle"] = f"Title {person['Employee']}"
    jobs = [f"{number}." for number in range(400, 400 + JOBS)]
    company.tables["bJCJM"] += [job_row(job) for job in jobs]
    company.tables["bJCCM"] += [contract_row(job, "10") for job in jobs]
    model = company.vehicles[0]
    company.vehicles += [
        {
            **model,
            "id": f"{number}",
            "name": f"Truck {number}",
            "serial": f"GS{number}",
            "licensePlate": f"P{number}",
        }
        for number in range(7000, 7000 + VEHICLES)
    ]
    return company


def deletes_the_first(rig: Rig, resource: str) -> None:
    """All others move up by one."""
    rig.safetyamp.remove(resource, rig.safetyamp.snapshot()[resource][0]["id"])


def turns_the_order(rig: Rig, resource: str) -> None:
    """The first record becomes the last one: an order by a column that somebody just changed."""
    dumped = rig.safetyamp.dump()
    rows = dumped["rows"][resource]
    rows.append(rows.pop(0))
    rig.safetyamp.load(dumped)


def reverses_the_order(rig: Rig, resource: str) -> None:
    """What was on later pages is on those that have been read."""
    dumped = rig.safetyamp.dump()
    dumped["rows"][resource].reverse()
    rig.safetyamp.load(dumped)


def inserts_at_the_front(rig: Rig, resource: str) -> None:
    """All others move down by one, and the last of a page comes once more."""
    dumped = rig.safetyamp.dump()
    rows = dumped["rows"][resource]
    number = STRANGE_IDS[resource == "users"]
    strange = dict.fromkeys(("emp_id", "email", "mobile_phone", "ext_id"))
    one = {name: value for name, value in strange.items() if name in rows[0]}
    rows.insert(0, {**rows[0], **one, "id": number, "name": "Strange", "serial": None})
    rig.safetyamp.load(dumped)


class Meddler:
    """Does something to SafetyAmp right after a page of a listing has been answered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, rig: Rig) -> None:
        self._rig = rig
        self._plans: list[tuple[str, int, Act]] = []
        self.done = 0
        send = SimulatorAdapter.send

        def send_and_meddle(
            adapter: SimulatorAdapter, request: requests.PreparedRequest, *how: Any, **named: Any
        ) -> requests.Response:
            answer = send(adapter, request, *how, **named)
            self._answered(request)
            return answer

        monkeypatch.setattr(SimulatorAdapter, "send", send_and_meddle)

    def after(self, page: int, resource: str, act: Act) -> None:
        """Act when this page is read next."""
        self._plans.append((resource, page, act))

    def _answered(self, request: requests.PreparedRequest) -> None:
        asked = urlsplit(str(request.url))
        for plan in list(self._plans):
            resource, page, act = plan
            if asked.path == f"/api/{resource}" and parse_qs(asked.query).get("page") == [str(page)]:
                self._plans.remove(plan)
                self.done += 1
                act(self._rig, resource)
                return


def keys_of(rig: Rig, resource: str) -> Counter[str]:
    """The keys of all records that have one, with how often each is there."""
    rows = rig.safetyamp.snapshot()[resource]
    named = (row[KEYS[resource]] for row in rows if row["id"] not in STRANGE_IDS)
    return Counter(key for key in named if key)


def forget_state(rig: Rig) -> None:
    """The state documents are lost."""
    for path in list(rig.documents.list("state/")):
        rig.documents.delete(path)
