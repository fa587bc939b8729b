"""What the API says will happen next to one record: every verdict, and which reason goes before which."""

from __future__ import annotations

from typing import Any, cast

import pytest

from shared.queries.dry_run import DryRun
from shared.queries.next_step import NextStep, next_step
from shared.storage.documents import create_json, update_json
from shared.sync import paths
from shared.sync.documents.change import Change
from shared.sync.documents.control import Pause, add_pauses
from shared.sync.documents.outcome import Outcome, outcomes_to_json
from shared.sync.documents.plans import batch_to_json
from shared.sync.documents.runs import Run, RunRequest, change_run
from shared.sync.documents.state import FAILURE, GONE, EntityState, Entry, Flags
from shared.sync.findings.causes import SWITCHED_OFF_BY_HAND
from shared.sync.model import EntityName
from shared.sync.planning.record_view import RecordView
from shared.sync.runs.requests import request_run
from tests.unit.engine_rig import EngineRig, a_plan

KEY = "10029"
VIEW = RecordView(KEY, in_source=True, active=True)
NOW_IS = "2026-01-05T06:00:00+00:00"


def change(action: Any = "update", *, key: str = KEY, **fields: Any) -> Change:
    sent = fields or {"street": "1 Elm"}
    return Change(key=key, action=action, target_id="u1", fields=sent, before={}, core={}, digest="d")


def known(**flags: Any) -> Entry:
    return Entry("u1", "d", {"street": "2 Oak"}, cast(Flags, flags))


class Asker:
    """Asks what comes next of one record."""

    def __init__(self, **settings: str) -> None:
        self.rig = EngineRig(**settings)

    def ask(self, entity: EntityName = "employees", *, key: str = KEY, **seen: Any) -> NextStep:
        return next_step(self.rig.services, entity, key, DryRun(**{"view": VIEW, **seen}))

    def run(self, *changes: Change, phase: Any = "applying", **request: Any) -> str:
        """A run under way whose plan has these changes, in one batch."""
        run_id = request_run(self.rig.services, RunRequest(entities=("employees",), **request))
        if changes:
            documents = self.rig.documents
            create_json(
                documents,
                paths.batch(run_id, "employees", "a1b2c3d4", 1),
                batch_to_json("employees", list(changes)),
            )
            create_json(documents, paths.plan(run_id, "employees"), a_plan(batches=1, created_at=NOW_IS))
        self.change_run(run_id, phase=phase if changes else "pending")
        return run_id

    def change_run(self, run_id: str, **status: Any) -> None:
        def to(run: Run) -> None:
            for name, value in status.items():
                setattr(run.entities["employees"], name, value)

        change_run(self.rig.documents, run_id, to)


@pytest.fixture
def asker() -> Asker:
    return Asker()


@pytest.mark.parametrize("action", ["create", "update", "deactivate", "reactivate"])
def test_what_the_next_run_will_do_has_its_time(asker: Asker, action: Any) -> None:
    asker.rig.clock.advance_to(asker.rig.clock.now().replace(minute=20))
    step = asker.ask(change=change(action), entry=known())
    assert (step.verdict, step.reason) == (action, f"the next run will {action} it")
    at = asker.rig.clock.now()
    assert step.at == at.replace(hour=at.hour + 1, minute=0, second=0, microsecond=0).isoformat()


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ({"passed_over": True}, "only the next run with refresh will update it"),
        ({"state_known": False}, "the next run lists it first, and creates what is missing"),
        ({"entry": known(**{GONE: True})}, "may or may not have it: the next run lists SafetyAmp first"),
        ({"entry": known(**{FAILURE: {}})}, "its data has changed since SafetyAmp refused it"),
    ],
)
def test_of_a_change_it_says_what_is_special(asker: Asker, seen: dict[str, Any], reason: str) -> None:
    assert reason in asker.ask(**{"change": change(), **seen}).reason


def test_what_only_a_refresh_will_do_has_the_time_of_the_refresh(asker: Asker) -> None:
    hourly, nightly = (asker.ask(change=change(), passed_over=passed).at for passed in (False, True))
    assert hourly is not None
    assert nightly is not None
    assert hourly < nightly


def test_what_the_same_run_makes_first_is_said_and_nothing_to_wait_for(asker: Asker) -> None:
    to_site = {"$ref": ["jobs", "100."]}
    step = asker.ask(change=change("create", home_site_id=to_site))
    assert step.verdict == "create"
    assert step.reason.endswith("after jobs 100., which that run makes first")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (
            Entry(None, None, {}, {FAILURE: {"digest": "d", "errors": {"name": ["no"]}, "at": None}}),
            "SafetyAmp refused it (name)",
        ),
        (None, "under one id only: several records claim it there"),
    ],
)
def test_what_will_not_be_there_is_waited_for(asker: Asker, entry: Entry | None, reason: str) -> None:
    state = EntityState("jobs")
    if entry is None:
        state.ambiguous["100."] = [1, 2]
    else:
        state.put("100.", entry)
    update_json(asker.rig.documents, paths.state("jobs"), lambda _: state.to_json())
    step = asker.ask(change=change("create", home_site_id={"$ref": ["jobs", "100."]}))
    assert step.verdict == "waiting"
    assert step.reason.startswith("waiting for jobs 100., which SafetyAmp does not have yet")
    assert step.reason.endswith(reason)


def test_what_waits_for_a_paused_entity_says_so(asker: Asker) -> None:
    add_pauses(asker.rig.documents, ["jobs"], Pause(NOW_IS, "moving"))
    step = asker.ask(change=change("create", home_site_id={"$ref": ["jobs", "100."]}))
    assert step.verdict == "waiting"
    assert "jobs is paused since 2026-01-05 06:00 UTC: moving" in step.reason


def test_an_optional_reference_is_not_waited_for(asker: Asker) -> None:
    add_pauses(asker.rig.documents, ["titles"], Pause(NOW_IS, "moving"))
    fields: dict[str, Any] = {"street": "1 Elm", "current_title_id": {"$ref": ["titles", "welder"]}}
    assert asker.ask(change=change(**fields)).verdict == "update"


# -- what is not sent ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["skipped", "invalid"])
def test_what_the_mapping_rejects_is_told_with_its_reason(asker: Asker, kind: Any) -> None:
    view = RecordView(KEY, in_source=True, rejected={"key": KEY, "kind": kind, "reason": "no last name"})
    step = asker.ask(view=view)
    assert (step.verdict, step.reason, step.at) == (kind, "no last name", None)


def test_several_records_of_one_key_are_invalid(asker: Asker) -> None:
    step = asker.ask(ambiguous=("u1", "u2"), notes=("several SafetyAmp records claim this key",))
    assert step.verdict == "invalid"
    assert step.suggestion.startswith("Keep one of these records")


def test_what_safetyamp_refused_is_told_until_its_data_changes(asker: Asker) -> None:
    refused: dict[str, Any] = {
        "entry": known(**{FAILURE: {"errors": {"street": ["odd"]}}}),
        "notes": ("SafetyAmp refused this record",),
    }
    assert asker.ask(**refused).verdict == "refused"
    assert asker.ask(**refused).suggestion.startswith("Mend the named fields")
    assert asker.ask(**refused, change=change()).verdict == "update"
    # Somebody who has left is tried again in every run.
    assert asker.ask(**refused, view=RecordView(KEY, in_source=True, active=False)).verdict != "refused"


def test_a_refusal_that_says_nothing_against_the_source_sends_nobody_there(asker: Asker) -> None:
    entry = known(**{FAILURE: {"errors": {"record": ["answered 400 without naming a field"]}}})
    step = asker.ask(entry=entry, notes=("SafetyAmp refused this record",))
    assert (step.verdict, step.suggestion[:12]) == ("refused", "As far as is")


@pytest.mark.parametrize(("target_id", "verdict"), [("u1", "waiting"), (None, "invalid")])
def test_a_value_that_is_left_out_is_told_with_the_time_of_the_nightly_listing(
    asker: Asker, target_id: str | None, verdict: str
) -> None:
    entry = Entry(target_id, None, {}, {})
    step = asker.ask(entry=entry, left_out=("mobile_phone left out: employee 7 keeps it",))
    assert (step.verdict, step.reason) == (verdict, "mobile_phone left out: employee 7 keeps it")
    assert step.at == asker.ask(change=change(), passed_over=True).at


@pytest.mark.parametrize(
    ("view", "entry", "notes", "verdict", "reason"),
    [
        (VIEW, known(), (), "nothing", "SafetyAmp holds what the source says"),
        (VIEW, known(), ("mobile_phone dropped: too short",), "nothing", "mobile_phone dropped: too short"),
        (VIEW, known(), ("switched off by hand",), "nothing", "switched off by hand"),
        (
            RecordView(KEY, in_source=True, active=False),
            known(),
            (),
            "nothing",
            "has left, and is switched off",
        ),
        (
            RecordView(KEY, in_source=True, active=False),
            known(),
            ("has left, and SafetyAmp user u8 still has access",),
            "nothing",
            "SafetyAmp user u8 still has access",
        ),
        (
            RecordView(KEY, in_source=True, active=False),
            None,
            (),
            "skipped",
            "SafetyAmp does not have the person",
        ),
        (RecordView(KEY, in_source=False), known(), (), "nothing", "Vista no longer has this record"),
    ],
)
def test_where_nothing_will_be_done_the_reason_is_told(
    asker: Asker, view: RecordView, entry: Entry | None, notes: tuple[str, ...], verdict: str, reason: str
) -> None:
    step = asker.ask(view=view, entry=entry, notes=notes)
    assert step.verdict == verdict
    assert reason in step.reason
    assert step.at is None


def test_whoever_was_switched_off_by_hand_can_be_switched_on_there(asker: Asker) -> None:
    note, causes = ("is current in the source but off in SafetyAmp",), frozenset({SWITCHED_OFF_BY_HAND.code})
    step = asker.ask(entry=known(), notes=note, causes=causes)
    assert step.suggestion.startswith("Switch the person on in SafetyAmp")


def test_what_to_do_does_not_depend_on_the_words_of_a_note(asker: Asker) -> None:
    step = asker.ask(entry=known(), notes=("mobile_phone dropped: entered by hand",))
    assert step.suggestion.startswith("Only told")


@pytest.mark.parametrize(("entity", "key"), [("departments", "root"), ("jobs", "office:4")])
def test_safetyamps_own_records_are_no_loss(asker: Asker, entity: EntityName, key: str) -> None:
    step = asker.ask(entity, key=key, view=RecordView(key, in_source=False))
    assert (step.verdict, step.suggestion) == ("nothing", "Nothing has to be done.")


def test_a_vehicle_that_vanished_is_mended_in_samsara() -> None:
    asker = Asker(SAFETYAMP_VEHICLE_SITE_ID="1", SAFETYAMP_VEHICLE_ASSET_TYPE_ID="2", SAMSARA_API_KEY="k")
    assert "mend it in Samsara" in asker.ask("vehicles", view=RecordView(KEY, in_source=False)).suggestion


def test_a_source_that_cannot_be_read_says_when_it_is_tried_again(asker: Asker) -> None:
    step = asker.ask(view=None, problem="Vista is away")
    assert step.verdict == "unknown"
    assert "Vista is away" in step.reason
    assert step.at is not None


# -- what goes before all of that ------------------------------------------------------------------------


def test_a_pause_goes_before_everything_and_says_what_would_come(asker: Asker) -> None:
    asker.run(change())
    add_pauses(asker.rig.documents, ["employees"], Pause(NOW_IS, "payroll week"))
    step = asker.ask(change=change("deactivate"), held=("too many",))
    assert step.verdict == "paused"
    assert "payroll week" in step.reason
    assert step.suggestion == "Resume employees; after that: the next run would deactivate it."
    assert "there is nothing to be done for it" in asker.ask().suggestion
    assert "kept back" in asker.ask(notes=("kept back",)).suggestion


def test_where_nobody_can_tell_what_is_paused_nothing_is_promised(asker: Asker) -> None:
    asker.rig.documents.write(paths.CONTROL, b"{")
    step = asker.ask(change=change())
    assert (step.verdict, "control.json cannot be read" in step.reason) == ("paused", True)


def test_vehicles_that_are_off_are_told_with_the_settings(asker: Asker) -> None:
    step = asker.ask("vehicles", change=change())
    assert (step.verdict, "SAFETYAMP_VEHICLE_SITE_ID" in step.suggestion) == ("off", True)


def test_the_run_under_way_goes_before_the_next_one(asker: Asker) -> None:
    run_id = asker.run(change("deactivate"))
    step = asker.ask(change=change())
    assert (step.verdict, step.run_url, step.at) == ("under way", f"/api/runs/{run_id}", NOW_IS)
    assert "its batch 1 will deactivate the record" in step.reason


def test_a_run_that_has_not_come_so_far_may_still_find_it(asker: Asker) -> None:
    asker.run()
    assert "has not come to employees yet" in asker.ask(change=change()).reason
    assert asker.ask("titles", change=change()).verdict == "update", "that run does not touch titles"


@pytest.mark.parametrize(
    "case", ["another record's run", "another's change", "ended", "done with the record", "unreadable run"]
)
def test_a_run_under_way_that_is_not_about_it_says_nothing_of_it(asker: Asker, case: str) -> None:
    if case == "another record's run":
        asker.run(keys=("7",))
    elif case == "another's change":
        asker.run(change(key="7"))
    else:
        run_id = asker.run(change())
        if case == "ended":
            asker.change_run(run_id, phase="done")
        elif case == "done with the record":
            path = paths.outcome(run_id, "employees", 1)
            done = Outcome(KEY, "update", "updated", "d", "u1", at=NOW_IS)
            create_json(asker.rig.documents, path, outcomes_to_json([done]))
        else:
            asker.rig.documents.write(paths.run(run_id), b"[]")
    assert asker.ask(change=change()).verdict == "update"


def test_a_run_under_way_whose_plan_cannot_be_read_is_waited_for(asker: Asker) -> None:
    run_id = asker.run(change())
    asker.rig.documents.write(paths.plan(run_id, "employees"), b"{")
    step = asker.ask(change=change())
    assert (step.verdict, step.run_url) == ("unknown", f"/api/runs/{run_id}")


def test_a_plan_that_the_guard_would_hold_leads_to_the_run_that_holds_it(asker: Asker) -> None:
    held: dict[str, Any] = {"change": change("deactivate"), "held": ("15 deactivations, 10 are allowed",)}
    assert asker.ask(**held).approve_url is None
    run_id = asker.run(change("deactivate"))
    asker.change_run(run_id, phase="held", planned={"deactivate": 1})
    step = asker.ask(**held)
    assert step.verdict == "held"
    assert (
        "it would be deactivated, but the guard holds that part of employees: 15 deactivations" in step.reason
    )
    assert step.approve_url == f"/api/runs/{run_id}/approve"
