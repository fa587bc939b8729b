"""The rules of the sync, one by one, with the whole app in virtual time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.company.demo import change_company
from local.company.model import vista_date
from shared import runtime
from shared.clients.safetyamp import SafetyAmpClient
from shared.errors import RunConflict
from shared.storage.documents import read_json, to_json
from shared.sync import paths
from shared.sync.decisions.approve import approve
from shared.sync.documents.runs import RunRequest
from shared.sync.documents.state import state_from_json
from shared.sync.runs.requests import request_run
from shared.sync.runs.stopping import cancel
from shared.sync.runs.sweep import sweep
from tests.e2e.demo_rig import DemoRig
from tests.e2e.rig import START

PLAIN = "10005"
"""An employee without any oddity."""


@pytest.fixture(autouse=True)
def _forget_runtime() -> Iterator[None]:
    yield
    runtime.use(None)


@pytest.fixture
def rig(tmp_path: Path) -> DemoRig:
    return DemoRig(tmp_path)


@pytest.fixture
def loaded(rig: DemoRig) -> DemoRig:
    """After a first load."""
    rig.report_of()
    rig.tenant.safetyamp.calls.clear()
    return rig


def employee(rig: DemoRig, key: str) -> dict[str, Any]:
    return next(row for row in rig.company.own_employees() if str(row["Employee"]) == key)


def user(rig: DemoRig, emp_id: str) -> dict[str, Any]:
    users = [row for row in rig.safetyamp.snapshot()["users"] if row["emp_id"] == emp_id]
    assert len(users) == 1, f"{len(users)} users have emp_id {emp_id}"
    return dict(users[0])


def writes(rig: DemoRig) -> Counter[str]:
    return Counter(call.method for call in rig.safetyamp.calls if call.method != "GET")


def reads(rig: DemoRig) -> int:
    return sum(1 for call in rig.safetyamp.calls if call.method == "GET")


def problems(report: dict[str, Any], entity: str, key: str) -> str:
    found = [p["reason"] for p in report["entities"][entity]["problems"] if p["key"] == key]
    return "; ".join(found)


def terminate(rig: DemoRig, keys: list[str], days_ago: int = 1) -> None:
    for key in keys:
        employee(rig, key)["TermDate"] = vista_date(START.date() - timedelta(days=days_ago))
    rig.publish()


def current_keys(rig: DemoRig) -> list[str]:
    known = state_from_json("employees", read_json(rig.documents, paths.state("employees")))
    assert known is not None
    return [key for key in known.records if known.digest(key) and user(rig, key)["system_access"]]


def lose_messages(rig: DemoRig) -> None:
    for queue in ("entity-sync", "change-batches"):
        rig.stack.bus._queue(queue).waiting.clear()


def counts_add_up(report: dict[str, Any]) -> None:
    names = ("unchanged", "created", "updated", "deactivated", "skipped", "invalid", "failed", "waiting")
    for entity in report["entities"].values():
        assert sum(entity[name] for name in names) == entity["source"]


def test_a_first_load_calls_each_listing_once_and_then_only_writes(rig: DemoRig) -> None:
    report = rig.report_of()
    # Six listings of one page and the empty page that ends it (roles and asset types among them), and the
    # cluster tree; titles and assets, of which SafetyAmp would take a second one, are read twice.
    assert reads(rig) == 6 * 2 + 1 + 2 * 2
    done = sum(
        entity[name]
        for entity in report["entities"].values()
        for name in ("created", "updated", "deactivated", "failed")
    )
    assert sum(writes(rig).values()) == done
    counts_add_up(report)


def test_a_second_run_makes_no_call(loaded: DemoRig) -> None:
    report = loaded.report_of()
    assert loaded.safetyamp.calls == []
    assert report["calls"].get("safetyamp", 0) == 0
    counts_add_up(report)


def test_changed_records_cost_exactly_one_write_each(loaded: DemoRig) -> None:
    expected = change_company(loaded.company)
    loaded.publish()
    report = loaded.report_of()
    # Of a leaver and of a cluster SafetyAmp wants fields repeated that are not the source's: they are read.
    assert reads(loaded) == 2
    assert sum(writes(loaded).values()) == len(expected)
    counts_add_up(report)


def test_a_refresh_of_an_equal_company_only_reads(loaded: DemoRig) -> None:
    loaded.report_of(refresh=True)
    assert writes(loaded) == Counter()
    assert reads(loaded) > 0


def test_what_was_changed_by_hand_is_put_right_by_a_refresh(loaded: DemoRig) -> None:
    loaded.safetyamp.edit("users", user(loaded, PLAIN)["id"], first_name="Somebody")
    loaded.report_of(refresh=True)
    assert user(loaded, PLAIN)["first_name"] == employee(loaded, PLAIN)["FirstName"].strip()
    assert writes(loaded) == Counter({"PATCH": 1})


def test_a_plan_only_run_changes_nothing_and_says_what_it_would_do(rig: DemoRig) -> None:
    before = rig.safetyamp.snapshot()
    report = rig.report_of(mode="plan")
    assert rig.safetyamp.snapshot() == before
    assert report["phase"] == "planned"
    assert report["entities"]["employees"]["planned"]["create"] > 0
    assert [
        path for path in rig.documents.list("state/") if path.count("/") == 1 and "totals" not in path
    ] == []


def test_a_single_entity_can_be_run(rig: DemoRig) -> None:
    report = rig.report_of(entities=("titles",))
    assert list(report["entities"]) == ["titles"]
    assert report["entities"]["titles"]["created"] > 0


def test_a_second_request_is_told_the_active_run(rig: DemoRig) -> None:
    run_id = request_run(rig.stack.runtime, RunRequest())
    with pytest.raises(RunConflict) as conflict:
        request_run(rig.stack.runtime, RunRequest())
    assert conflict.value.run_id == run_id


def test_a_leaver_loses_access_on_the_day_and_not_before(loaded: DemoRig) -> None:
    employee(loaded, PLAIN)["TermDate"] = vista_date(START.date() + timedelta(days=2))
    loaded.publish()
    loaded.report_of()
    assert user(loaded, PLAIN)["system_access"] is True
    loaded.clock.advance(timedelta(days=2))
    report = loaded.report_of()
    assert user(loaded, PLAIN)["system_access"] is False
    assert report["entities"]["employees"]["deactivated"] == 1


def test_a_rehired_person_whom_the_sync_switched_off_is_switched_on(loaded: DemoRig) -> None:
    terminate(loaded, [PLAIN])
    loaded.report_of()
    employee(loaded, PLAIN)["TermDate"] = None
    employee(loaded, PLAIN)["Address"] = "77 New Street"
    loaded.publish()
    report = loaded.report_of()
    assert user(loaded, PLAIN)["system_access"] is True
    assert user(loaded, PLAIN)["street"] == "77 New Street"
    assert report["entities"]["employees"]["updated"] == 1


def test_a_person_switched_off_by_hand_is_reported_and_left_alone(loaded: DemoRig) -> None:
    loaded.safetyamp.edit("users", user(loaded, PLAIN)["id"], system_access=False)
    report = loaded.report_of(refresh=True)
    assert user(loaded, PLAIN)["system_access"] is False
    assert "switched off in SafetyAmp by hand" in problems(report, "employees", PLAIN)


def test_with_the_setting_a_person_switched_off_by_hand_is_switched_on(tmp_path: Path) -> None:
    rig = DemoRig(tmp_path, REENABLE_DISABLED="true")
    rig.report_of()
    rig.safetyamp.edit("users", user(rig, PLAIN)["id"], system_access=False)
    rig.report_of(refresh=True)
    assert user(rig, PLAIN)["system_access"] is True


def test_the_guard_holds_a_mass_deactivation_and_approval_lets_that_plan_go_on(loaded: DemoRig) -> None:
    leavers = current_keys(loaded)[:12]
    terminate(loaded, leavers)
    before = loaded.safetyamp.snapshot()["users"]
    report = loaded.report_of()
    assert report["phase"] == "held"
    assert "12 people would be deactivated" in report["entities"]["employees"]["reason"]
    assert loaded.safetyamp.snapshot()["users"] == before
    approve(loaded.stack.runtime, report["run_id"])
    approved = loaded.finish(report["run_id"])
    assert approved.entity("employees")["deactivated"] == 12
    assert not any(user(loaded, key)["system_access"] for key in leavers)


def test_a_plan_that_is_older_than_the_last_changes_applies_only_what_is_still_true(loaded: DemoRig) -> None:
    leavers = current_keys(loaded)[:12]
    terminate(loaded, leavers)
    held = loaded.report_of()["run_id"]
    for key in leavers:
        employee(loaded, key)["TermDate"] = None
    employee(loaded, PLAIN)["Address"] = "77 New Street"
    loaded.publish()
    loaded.report_of()
    approve(loaded.stack.runtime, held)
    approved = loaded.finish(held)
    assert (approved.report["phase"], approved.writes) == ("done", [])
    assert approved.entity("employees")["left_out"]["count"] == 12
    counts_add_up(approved.report)


def test_an_empty_source_fails_its_entity_and_stops_no_other(loaded: DemoRig) -> None:
    people = loaded.company.tables["bPREH"]
    loaded.company.tables["bPREH"] = []
    loaded.company.vehicles[0]["name"] = "Renamed"
    loaded.publish()
    report = loaded.report_of()
    for entity in ("titles", "employees"):
        assert report["entities"][entity]["phase"] == "failed"
        assert "returned no records" in report["entities"][entity]["reason"]
        assert "VISTA_COMPANY" in report["entities"][entity]["reason"]
    assert report["entities"]["vehicles"]["updated"] == 1
    assert sum(writes(loaded).values()) == 1
    loaded.company.tables["bPREH"] = people
    loaded.publish()
    assert loaded.report_of()["phase"] == "done"
    assert sum(writes(loaded).values()) == 1


def test_a_source_that_shrank_is_held(loaded: DemoRig) -> None:
    del loaded.company.tables["bPREH"][20:]
    loaded.publish()
    report = loaded.report_of(entities=("employees",))
    assert report["entities"]["employees"]["held"]
    assert "where the last good run read 40" in report["entities"]["employees"]["reason"]


def test_an_unreachable_vista_names_the_setting_after_the_retries(rig: DemoRig) -> None:
    rig.database.unlink()
    rig.start_again()
    report = rig.report_of()
    assert {e["phase"] for n, e in report["entities"].items() if n != "vehicles"} == {"failed"}
    assert "VISTA_CONNECTION_STRING" in report["entities"]["departments"]["reason"]
    assert report["entities"]["vehicles"]["created"] > 0


def test_a_page_that_fails_halfway_creates_nobody_and_the_next_run_does(rig: DemoRig) -> None:
    rig.safetyamp.fail_next(100, 500, match="GET /api/users")
    report = rig.report_of()
    assert report["entities"]["employees"]["phase"] == "failed"
    assert not [call for call in rig.safetyamp.calls if call[:2] == ("POST", "/api/users")]
    rig.safetyamp.heal()
    rig.clock.advance(timedelta(minutes=5))
    assert rig.report_of()["entities"]["employees"]["created"] > 30


def test_a_refused_token_stops_the_entity_at_once_and_names_the_setting(loaded: DemoRig) -> None:
    change_company(loaded.company)
    loaded.publish()
    loaded.safetyamp.fail_next(1, 401, '{"message":"Unauthenticated."}', match="PATCH /api/users*")
    report = loaded.report_of()
    entity = report["entities"]["employees"]
    assert entity["phase"] == "failed"
    assert "SAFETYAMP_TOKEN" in entity["reason"]
    assert "not tried" in str(entity["problems"])
    assert report["entities"]["jobs"]["created"] == 1
    counts_add_up(report)
    assert loaded.report_of()["phase"] == "done"


def test_a_refused_field_that_can_go_is_left_out_and_not_sent_again(loaded: DemoRig) -> None:
    employee(loaded, PLAIN)["Address"] = "77 New Street"
    employee(loaded, PLAIN)["City"] = "Elsewhere"
    loaded.publish()
    errors = '{"message":"invalid","errors":{"city":["validation.city"]}}'
    loaded.safetyamp.fail_next(1, 422, errors, match="PATCH /api/users*")
    report = loaded.report_of()
    assert report["entities"]["employees"]["updated"] == 1
    assert "SafetyAmp refused city" in problems(report, "employees", PLAIN)
    assert user(loaded, PLAIN)["street"] == "77 New Street"
    loaded.tenant.safetyamp.calls.clear()
    loaded.report_of(refresh=True)
    assert writes(loaded) == Counter()


def test_a_refused_record_is_tried_again_only_when_its_data_changes_or_an_operator_asks(rig: DemoRig) -> None:
    report = rig.report_of()
    assert report["entities"]["employees"]["failed"] == 1  # another account has this person's e-mail
    key = next(p["key"] for p in report["entities"]["employees"]["problems"] if p["kind"] == "refused")
    rig.tenant.safetyamp.calls.clear()
    again = rig.report_of()
    assert rig.safetyamp.calls == []
    assert "data has not changed" in problems(again, "employees", key)
    rig.report_of(retry_failed=True)
    assert sum(writes(rig).values()) == 1
    employee(rig, key)["Address"] = "77 New Street"
    rig.publish()
    rig.report_of()
    assert sum(writes(rig).values()) == 2


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize(
    ("resource", "entity"),
    [
        ("site_clusters", "departments"),
        ("sites", "jobs"),
        ("user_titles", "titles"),
        ("users", "employees"),
        ("assets", "vehicles"),
    ],
)
def test_a_creation_without_an_answer_is_there_exactly_once(
    rig: DemoRig, resource: str, entity: str, written: bool
) -> None:
    rig.safetyamp.fail_next(1, match=f"POST /api/{resource}", after_write=written, lose="timeout")
    report = rig.report_of()
    assert report["entities"][entity]["failed"] == (1 if entity == "employees" else 0)
    names = Counter(
        (row.get("name"), row.get("emp_id"), row.get("serial"), row.get("email"))
        for row in rig.safetyamp.snapshot()[resource]
    )
    assert max(names.values()) == 1
    rig.tenant.safetyamp.calls.clear()
    rig.report_of(refresh=True)
    assert writes(rig) == Counter()


def test_a_record_that_vanished_from_safetyamp_is_created_anew_by_the_next_run(loaded: DemoRig) -> None:
    loaded.safetyamp.remove("users", user(loaded, PLAIN)["id"])
    employee(loaded, PLAIN)["Address"] = "77 New Street"
    loaded.publish()
    report = loaded.report_of()
    assert "no longer has this record" in problems(report, "employees", PLAIN)
    report = loaded.report_of()
    assert report["entities"]["employees"]["created"] == 1
    assert user(loaded, PLAIN)["street"] == "77 New Street"


def test_a_person_waits_for_a_job_whose_creation_failed(rig: DemoRig) -> None:
    rig.safetyamp.fail_next(1, 422, '{"message":"x","errors":{"name":["bad"]}}', match="POST /api/sites")
    report = rig.report_of()
    job = next(p["key"] for p in report["entities"]["jobs"]["problems"] if p["kind"] == "refused")
    waiting = [p for p in report["entities"]["employees"]["problems"] if p["kind"] == "waiting"]
    assert waiting
    assert all(p["reason"].startswith(f"waiting for jobs {job}") for p in waiting)
    report = rig.report_of(retry_failed=True)
    assert report["entities"]["employees"]["created"] == len(waiting)


def test_a_lost_state_is_rebuilt_by_listing_without_a_write(loaded: DemoRig) -> None:
    for path in list(loaded.documents.list("state/")):
        loaded.documents.delete(path)
    loaded.report_of()
    # Vehicles without their state are recognised by the gateway's serial; the refused record is tried anew.
    assert writes(loaded) == Counter({"POST": 1})


def test_an_asset_type_of_another_site_fails_vehicles_and_names_the_setting(tmp_path: Path) -> None:
    rig = DemoRig(tmp_path, SAFETYAMP_VEHICLE_ASSET_TYPE_ID="4711")
    report = rig.report_of(entities=("vehicles",))
    assert "SAFETYAMP_VEHICLE_ASSET_TYPE_ID" in report["entities"]["vehicles"]["reason"]
    assert not writes(rig)


def test_without_the_vehicle_settings_vehicles_are_off_and_said_to_be(tmp_path: Path) -> None:
    rig = DemoRig(tmp_path, SAFETYAMP_VEHICLE_SITE_ID="", SAFETYAMP_VEHICLE_ASSET_TYPE_ID="")
    report = rig.report_of()
    assert report["entities"]["vehicles"]["phase"] == "off"
    assert "SAFETYAMP_VEHICLE_SITE_ID" in report["entities"]["vehicles"]["reason"]
    assert report["phase"] == "done"


def test_a_root_cluster_that_does_not_exist_fails_departments_with_what_there_is(tmp_path: Path) -> None:
    rig = DemoRig(tmp_path, SAFETYAMP_ROOT_CLUSTER="Nowhere")
    report = rig.report_of(entities=("departments",))
    assert "SAFETYAMP_ROOT_CLUSTER" in report["entities"]["departments"]["reason"]
    assert "Pelican Fork Builders" in report["entities"]["departments"]["reason"]


def test_a_long_listing_goes_on_in_the_next_execution(tmp_path: Path) -> None:
    rig = DemoRig(tmp_path, API_RATE_LIMIT_CALLS="7", API_RATE_LIMIT_RESERVE="0")
    rig.report_of()
    assert rig.safetyamp.peak_window <= 7
    before = len(rig.safetyamp.calls)
    rig.report_of(refresh=True)
    assert len(rig.safetyamp.calls) - before < 15, "pages were listed again"
    assert writes(rig)["POST"] > 0


def test_a_message_that_comes_twice_changes_the_world_once(rig: DemoRig) -> None:
    send = rig.stack.bus.send

    def send_twice(messages: Any) -> None:
        send(messages)
        for queue in ("entity-sync", "change-batches"):
            rig.stack.bus._queue(queue).seen_ids.clear()
        send(messages)

    rig.stack.bus.send = send_twice  # type: ignore[method-assign]
    report = rig.report_of()
    counts_add_up(report)
    rig.drain()
    assert max(Counter(row["email"] for row in rig.safetyamp.snapshot()["users"]).values()) == 1
    assert rig.safetyamp.created["users"] == report["entities"]["employees"]["created"]


def test_the_sweep_finds_messages_that_were_lost(rig: DemoRig) -> None:
    run_id = request_run(rig.stack.runtime, RunRequest())
    lose_messages(rig)
    assert rig.finish(run_id, sweeping=True).report["phase"] == "done"


def test_a_claimed_run_without_its_document_is_healed(rig: DemoRig) -> None:
    """A crash between the claim of the active run and its document."""
    run_id = request_run(rig.stack.runtime, RunRequest())
    rig.documents.delete(paths.run(run_id))
    lose_messages(rig)
    assert sweep(rig.stack.runtime) == run_id
    assert rig.finish(run_id).report["phase"] == "done"


def test_a_state_of_another_version_is_rebuilt(loaded: DemoRig) -> None:
    state = read_json(loaded.documents, paths.state("titles"))
    loaded.documents.write(paths.state("titles"), to_json({**state, "version": 0}))
    report = loaded.report_of(entities=("titles",))
    assert report["entities"]["titles"]["unchanged"] == len(state["records"])
    assert writes(loaded) == Counter()


def test_a_cancelled_run_keeps_what_was_done_and_the_next_run_does_the_rest(rig: DemoRig) -> None:
    run_id = request_run(rig.stack.runtime, RunRequest())
    while not rig.safetyamp.created.get("users"):
        if not rig.stack.host.step():
            rig.clock.advance_to(rig.stack.bus.next_due() or rig.clock.now())
    cancel(rig.stack.runtime, run_id, "cancelled by an operator")
    report = rig.finish(run_id).report
    assert report["phase"] == "cancelled"
    rest = rig.report_of()
    assert rest["phase"] == "done"
    assert max(Counter(row["email"] for row in rig.safetyamp.snapshot()["users"]).values()) == 1
    counts_add_up(rest)


def test_a_run_past_its_deadline_is_ended_by_the_sweep(rig: DemoRig) -> None:
    run_id = request_run(rig.stack.runtime, RunRequest())
    lose_messages(rig)
    rig.clock.advance(timedelta(hours=49))
    sweep(rig.stack.runtime)
    ended = rig.finish(run_id)
    assert ended.report["phase"] == "failed"
    assert "had not ended after 48 hours: there is no plan yet" in ended.entity("jobs")["reason"]


def test_a_record_that_nobody_thought_of_fails_alone(rig: DemoRig, monkeypatch: pytest.MonkeyPatch) -> None:
    create = SafetyAmpClient.create

    def stumble(self: SafetyAmpClient, resource: str, payload: Any) -> Any:
        if payload.get("emp_id") == PLAIN:
            raise KeyError("surprise")
        return create(self, resource, payload)

    monkeypatch.setattr(SafetyAmpClient, "create", stumble)
    report = rig.report_of()
    assert "unexpected KeyError" in problems(report, "employees", PLAIN)
    assert report["entities"]["employees"]["created"] > 25
    monkeypatch.setattr(SafetyAmpClient, "create", create)
    assert rig.report_of()["entities"]["employees"]["created"] == 1
