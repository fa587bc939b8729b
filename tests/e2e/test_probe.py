"""First contact: what differs from the contracts is found, nothing is written, and no value leaves."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.probe import exit_status_of, save, show
from local.company.demo import demo_company
from local.probe.probe import Probed, probe
from local.probe.safetyamp import MOST_CALLS
from local.simulators.safetyamp import SafetyAmpSimulator
from tests.e2e.rig import START, Rig


class ProbeRig(Rig):
    """A demo company after its first load."""

    def probed(self) -> Probed:
        """What first contact shows; nothing is written."""
        before = len(self.safetyamp.calls)
        found = probe(self.stack.runtime, self._session)
        calls = self.safetyamp.calls[before:]
        assert {call.method for call in calls} <= {"GET"}
        assert len(calls) == found.safetyamp_calls <= MOST_CALLS
        return found

    def verdict(self, name: str) -> str:
        """Of one assumption."""
        (found,) = [one.verdict for one in self.probed().assumptions if one.name == name]
        return found


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[ProbeRig]:
    rig = ProbeRig(tmp_path, demo_company(START.date(), employees=120), limit=6000)
    rig.run()
    yield rig
    rig.close()


def told(probed: Probed) -> str:
    file = io.StringIO()
    show(Console(file=file, width=200, color_system=None), probed)
    return file.getvalue()


def test_systems_that_are_as_the_contracts_say_contradict_nothing(rig: ProbeRig) -> None:
    found = rig.probed()
    assert [one.name for one in found.assumptions if one.verdict != "confirmed"] == []
    assert found.problems == {}
    assert exit_status_of(found) == 0
    assert "nothing written" in told(found)


def values_of(company: Any) -> set[str]:
    """What is personal in the sources: names, addresses, telephones, birth dates."""
    columns = ("FirstName", "LastName", "Address", "Phone", "Email", "BirthDate")
    rows = company.tables["bPREH"]
    return {str(row[name]) for row in rows for name in columns if row.get(name) and len(str(row[name])) > 4}


def test_no_value_of_a_record_is_told_or_recorded(rig: ProbeRig, tmp_path: Path) -> None:
    found = rig.probed()
    path = tmp_path / "shapes.json"
    save(path, found)
    text = path.read_text("utf-8") + told(found)
    values = values_of(rig.company)
    assert len(values) > 100
    assert not [value for value in values if value in text]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_recording_has_fields_types_and_sizes(rig: ProbeRig) -> None:
    found = json.loads(json.dumps(rig.probed().recording))
    assert found["safetyamp"]["resources"]["users"]["system_access"].keys() == {"bool"}
    assert found["safetyamp"]["page_sizes"] == {"25": 25, "100": 25}
    rows = [row for row in rig.company.tables["bPREH"] if row["PRCo"] == 1 and row["HireDate"]]
    assert found["vista"]["rows"]["employees"] == len(rows)
    assert found["graph"]["accounts"]["count"] == len(rig.company.graph_users)


def test_a_larger_page_that_is_honoured_is_recorded(rig: ProbeRig) -> None:
    rig.safetyamp.page_records = 100
    assert rig.probed().recording["safetyamp"]["page_sizes"]["100"] == 100


def test_users_that_cannot_be_asked_for_by_id_are_told_with_what_follows(rig: ProbeRig) -> None:
    rig.safetyamp.reads_by_id = False
    found = rig.probed()
    (one,) = [one for one in found.assumptions if one.name == "safetyamp.by-id"]
    assert one.verdict == "contradicted"
    assert one.meaning in told(found)
    assert exit_status_of(found) == 1


def test_pages_0_and_1_that_are_the_same_are_told(rig: ProbeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    handle = SafetyAmpSimulator._handle

    def shifted(self: SafetyAmpSimulator, request: Any) -> Any:
        if "page" in request.query:
            request = replace(request, query={**request.query, "page": "0"})
        return handle(self, request)

    monkeypatch.setattr(SafetyAmpSimulator, "_handle", shifted)
    assert rig.verdict("safetyamp.pages") == "contradicted"


def test_site_codes_in_the_other_field_are_told(rig: ProbeRig) -> None:
    for row in rig.safetyamp.snapshot()["sites"]:
        rig.safetyamp.edit("sites", row["id"], external_code=row["ext_id"], ext_id=None)
    assert rig.verdict("safetyamp.site-code") == "contradicted"


def test_numbers_of_another_company_are_told(rig: ProbeRig) -> None:
    for row in rig.company.tables["bPREH"]:
        row["Employee"] += 500_000
    rig.publish()
    assert rig.verdict("safetyamp.people") == "contradicted"


def test_accounts_without_employee_numbers_are_told(rig: ProbeRig) -> None:
    for account in rig.company.graph_users:
        account["employeeId"] = account["employeeId"] and "n/a"
    rig.publish()
    found = {one.name: one for one in rig.probed().assumptions}
    assert found["graph.employeeId"].verdict == "contradicted"
    assert found["graph.coverage"].verdict == "contradicted"


def test_a_limit_that_is_smaller_than_the_setting_is_told(tmp_path: Path) -> None:
    rig = ProbeRig(tmp_path, limit=60, API_RATE_LIMIT_CALLS="90")
    try:
        found = {one.name: one for one in rig.probed().assumptions}
        assert found["safetyamp.limit"].verdict == "contradicted"
        assert "API_RATE_LIMIT_CALLS" in found["safetyamp.limit"].meaning
    finally:
        rig.close()


def test_a_listing_that_is_refused_costs_no_other(rig: ProbeRig) -> None:
    rig.safetyamp.fail_next(1, match="GET /api/user_titles", status=403)
    found = {one.name: one for one in rig.probed().assumptions}
    assert found["safetyamp.user_titles.list"].verdict == "contradicted"
    assert found["safetyamp.assets.id"].verdict == "confirmed"


@pytest.mark.parametrize("status", [401, 503])
def test_a_system_that_cannot_be_asked_is_told_and_costs_no_other(rig: ProbeRig, status: int) -> None:
    rig.safetyamp.fail_next(99, match="GET /api/*", status=status)
    found = rig.probed()
    assert list(found.problems) == ["safetyamp"]
    assert {one.name.split(".")[0] for one in found.assumptions} >= {"vista", "graph", "samsara"}
    assert "safetyamp was not asked" in told(found)
    assert exit_status_of(found) == 1


def test_an_empty_target_leaves_open_what_only_records_can_tell(tmp_path: Path) -> None:
    rig = ProbeRig(tmp_path)
    try:
        found = {one.name: one.verdict for one in rig.probed().assumptions}
        assert (
            found["safetyamp.pages"] == found["safetyamp.page-size"] == found["safetyamp.people"] == "unknown"
        )
    finally:
        rig.close()
