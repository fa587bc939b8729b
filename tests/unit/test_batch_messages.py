"""A batch as its messages bring it: when it goes on, what is sent twice, and what is said of the rest."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.errors import (
    APIError,
    CircuitOpen,
    IncompleteRead,
    InvalidRecord,
    LeaseHeld,
    LeaseLost,
    RateLimited,
    RetryLater,
    UpstreamUnavailable,
)
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.documents.runs import EntityStatus, Run, RunRequest, get_run
from shared.sync.documents.state import EntityState, Entry
from shared.sync.lease import LEASE_SECONDS
from shared.sync.messages import BatchMessage, parse_batch_message, parse_entity_message
from shared.sync.runs.batch_handler import HANDLER_SECONDS, STORE_EVERY, apply_batch, give_up_batch
from shared.sync.runs.stopping import cancel
from tests.unit.test_batch_handler import DENIED, LOST, RUN, BatchRig, ScriptedSafetyAmp, change

AWAY = UpstreamUnavailable("503", 503)


class Killed(BaseException):
    """The process is gone."""


class SlowSafetyAmp(ScriptedSafetyAmp):
    """Each write takes so long; like any client it beats before it calls, and calls again after a while."""

    LONGEST_CALL = 59.0

    def __init__(self, seconds: float, *script: BaseException | None) -> None:
        super().__init__(*script)
        self.seconds = seconds
        self.clock: Any = None

    def create(self, resource: str, payload: dict[str, Any]) -> dict[str, Any]:
        left = self.seconds
        while left > 0:
            self.work.before_call(self.clock.monotonic())
            self.clock.advance(min(left, self.LONGEST_CALL))
            left -= self.LONGEST_CALL
        return super().create(resource, payload)


def slow(seconds: float, *keys: str) -> BatchRig:
    safetyamp = SlowSafetyAmp(seconds)
    rig = BatchRig(safetyamp, [change(key) for key in keys])
    safetyamp.clock = rig.clock
    return rig


def updates(count: int) -> list[Any]:
    return [change(str(number), "update", city=f"City {number}") for number in range(1, count + 1)]


def names(rig: BatchRig) -> list[str]:
    return [write["name"] for write in rig.safetyamp.writes]


def sent(rig: BatchRig) -> list[tuple[int, int, float]]:
    """Of the batch messages that were sent: batch, attempt, and the delay in seconds."""
    found = []
    for message in rig.bus.sent:
        parsed = parse_batch_message(message.body.encode())
        delay = (message.deliver_at - rig.clock.now()).total_seconds() if message.deliver_at else 0.0
        found.append((parsed.batch, parsed.attempt, round(delay, 3)))
    return found


class TestNothingIsSent:
    """And nothing is noted, either, of a message that came too late or belongs to nothing."""

    def rig(self) -> BatchRig:
        return BatchRig(ScriptedSafetyAmp(), [change("A")])

    def untouched(self, rig: BatchRig) -> None:
        assert (rig.safetyamp.writes, rig.bus.sent) == ([], [])
        assert list(rig.documents.list(paths.progresses(RUN, "titles"))) == []
        assert list(rig.documents.list(paths.outcomes(RUN, "titles"))) == []

    @pytest.mark.parametrize("how", ["apply", "give up"])
    @pytest.mark.parametrize(
        "message",
        [
            BatchMessage("20260105-110000-abcdef", "titles", 1, 1, "start"),
            BatchMessage(RUN, "jobs", 1, 1, "start"),
            BatchMessage(RUN, "titles", 2, 1, "start"),
        ],
        ids=["no such run", "no such entity", "no such batch"],
    )
    def test_for_what_there_is_not(self, message: BatchMessage, how: str) -> None:
        rig = self.rig()
        if how == "apply":
            apply_batch(rig.services, message)
        else:
            give_up_batch(rig.services, message, "given up")
        self.untouched(rig)
        assert get_run(rig.documents, RUN).entities["titles"].phase == "applying"

    @pytest.mark.parametrize("how", ["apply", "give up"])
    def test_before_the_plan_is_committed(self, how: str) -> None:
        """Its batches are stored first: a message of an attempt that died must not apply them."""
        rig = self.rig()
        rig.documents.delete(paths.plan(RUN, "titles"))
        message = BatchMessage(RUN, "titles", 1, 1, "start")
        apply_batch(rig.services, message) if how == "apply" else give_up_batch(rig.services, message, "x")
        self.untouched(rig)

    @pytest.mark.parametrize("how", ["apply", "give up"])
    def test_after_the_entity_has_ended(self, how: str) -> None:
        rig = self.rig()
        run = get_run(rig.documents, RUN)
        run.entities["titles"].phase = "failed"
        run.entities["vehicles"] = EntityStatus("applying")
        rig.put(paths.run(RUN), run.to_json())
        message = BatchMessage(RUN, "titles", 1, 1, "start")
        apply_batch(rig.services, message) if how == "apply" else give_up_batch(rig.services, message, "x")
        self.untouched(rig)

    def test_when_it_has_its_outcomes_but_the_entity_is_ended(self) -> None:
        """Whoever applied it may have died before."""
        rig = self.rig()
        rig.deliver()
        run = get_run(rig.documents, RUN)
        assert run.entities["titles"].phase == "done"
        run.phase, run.entities["titles"] = "running", EntityStatus("applying")
        rig.put(paths.run(RUN), run.to_json())
        rig.deliver()
        assert len(rig.safetyamp.writes) == 1
        assert get_run(rig.documents, RUN).entities["titles"].phase == "done"

    def test_when_it_has_its_outcomes_and_nothing_tells_any_more_how_it_came_to_them(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(), [change("A")], [change("B")])
        rig.deliver()
        rig.documents.delete(paths.progress(RUN, "titles", 1))
        rig.deliver()
        assert len(rig.safetyamp.writes) == 1

    def test_after_the_run_has_ended_whose_report_is_written_once(self) -> None:
        rig = self.rig()
        rig.deliver()
        report = rig.documents.read(paths.report(RUN))
        assert report is not None
        rig.deliver()
        assert rig.documents.read(paths.report(RUN)) == report


def test_a_late_message_of_an_entity_that_has_ended_lets_those_go_on_that_waited_for_it() -> None:
    rig = BatchRig(ScriptedSafetyAmp(), [change("10")], entity="departments")
    run = Run(
        RUN, RunRequest(), rig.now, {"departments": EntityStatus("done"), "jobs": EntityStatus("pending")}
    )
    rig.put(paths.run(RUN), run.to_json())
    rig.deliver()
    [message] = rig.bus.sent
    assert parse_entity_message(message.body.encode()).entity == "jobs"


def take_over_during_a_call(rig: BatchRig) -> None:
    """Each creation takes so long that another handler has the batch when it is answered."""
    create = rig.safetyamp.create

    def stuck(resource: str, payload: dict[str, Any]) -> Any:
        answer = create(resource, payload)
        rig.clock.advance(LEASE_SECONDS)
        rig.documents.acquire_lease(paths.progress(RUN, "titles", 1), LEASE_SECONDS)
        return answer

    rig.safetyamp.create = stuck


class TestTheLease:
    def test_of_somebody_else_is_waited_for_as_long_as_it_lasts(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(), [change("A")])
        rig.put(paths.progress(RUN, "titles", 1), {"outcomes": [], "started": None})
        rig.documents.acquire_lease(paths.progress(RUN, "titles", 1), LEASE_SECONDS)
        rig.deliver()
        assert (sent(rig), rig.safetyamp.writes) == ([(1, 2, 60.0)], [])
        rig.clock.advance(LEASE_SECONDS)
        rig.deliver()
        assert names(rig) == ["A"]

    def test_keeps_a_second_handler_out_while_the_first_is_at_work(self) -> None:
        rig = slow(10, "A", "B")
        create = rig.safetyamp.create

        def meanwhile(resource: str, payload: dict[str, Any]) -> Any:
            rig.deliver()
            return create(resource, payload)

        rig.safetyamp.create = meanwhile
        rig.deliver()
        assert names(rig) == ["A", "B"]
        assert [attempt for _, attempt, _ in sent(rig)] == [2, 2]

    def test_lasts_for_as_long_as_calls_are_made(self) -> None:
        """Calls of 59 s each: the lease of 60 s is renewed before each."""
        rig = slow(LEASE_SECONDS - 1, "A", "B", "C", "D")
        rig.deliver()
        assert [one.result for one in rig.outcomes()] == ["created"] * 4

    def test_is_nobody_else_s_after_a_call_that_took_nearly_as_long(self) -> None:
        rig = slow(LEASE_SECONDS - 1, "A", "B", "C")
        create = rig.safetyamp.create

        def wanted(resource: str, payload: dict[str, Any]) -> Any:
            answer = create(resource, payload)
            with pytest.raises(LeaseHeld):
                rig.documents.acquire_lease(paths.progress(RUN, "titles", 1), LEASE_SECONDS)
            return answer

        rig.safetyamp.create = wanted
        rig.deliver()
        assert len(rig.outcomes()) == 3

    def test_that_was_taken_over_ends_the_work_before_the_next_call(self) -> None:
        rig = slow(10, "A", "B")
        take_over_during_a_call(rig)
        with pytest.raises(LeaseLost):
            rig.deliver()
        assert names(rig) == ["A"]
        assert rig.outcomes() == []

    def test_that_was_taken_over_during_the_last_call_leaves_the_last_word_to_the_other(self) -> None:
        rig = slow(10, "A")
        take_over_during_a_call(rig)
        with pytest.raises(LeaseLost):
            rig.deliver()
        assert rig.outcomes() == []

    def test_is_given_back_at_the_end(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(RateLimited("full", 30.0)), [change("A")])
        rig.deliver()
        rig.documents.acquire_lease(paths.progress(RUN, "titles", 1), LEASE_SECONDS)


class TestABatchIsHandedOn:
    def test_when_the_window_is_full_a_little_later_than_its_next_slot(self) -> None:
        """At the very moment of the slot, each execution would find one slot only."""
        rig = BatchRig(ScriptedSafetyAmp(None, RateLimited("full", 30.0)), [change("A"), change("B")])
        rig.deliver()
        later = 30.0 + 0.25 * 61 / 60
        assert sent(rig) == [(1, 2, round(later, 3))]
        goes_on = datetime.fromisoformat(rig.progress()["next_at"])
        assert goes_on == rig.bus.sent[0].deliver_at
        assert [one["key"] for one in rig.progress()["outcomes"]] == ["A"]
        assert [one.result for one in rig.deliver_to_the_end()] == ["created", "created"]
        assert names(rig) == ["A", "B", "B"]

    def test_when_its_time_is_over_at_once_and_not_before(self) -> None:
        rig = slow(HANDLER_SECONDS / 4, "A", "B", "C", "D", "E", "F")
        rig.deliver()
        assert names(rig) == ["A", "B", "C", "D", "E"], "so much is not more than its time"
        assert sent(rig) == [(1, 2, 0.0)]
        assert len(rig.deliver_to_the_end()) == 6
        assert names(rig) == ["A", "B", "C", "D", "E", "F"]

    def test_while_it_settles_when_its_time_is_over(self) -> None:
        people = [change(key, email=f"{key}@x.example") for key in "123"]
        safetyamp = SlowSafetyAmp(HANDLER_SECONDS + 1, LOST, LOST, LOST)
        rig = BatchRig(safetyamp, people, entity="employees")
        safetyamp.clock = rig.clock
        outcomes = rig.deliver_to_the_end()
        assert [one.result for one in outcomes] == ["created"] * 3
        assert [write["email"][0] for write in safetyamp.writes] == ["1", "2", "3", "1", "2", "3"]
        stored = read_json(rig.documents, paths.outcome(RUN, "employees", 1))
        assert stored["attempts"] == 6, "each of these calls was all that its handler had time for"

    def test_when_the_breaker_is_open_and_that_is_no_failed_attempt(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(*[CircuitOpen("open", 20.0)] * 5), updates(1))
        rig.deliver()
        assert sent(rig) == [(1, 2, 20.0)]
        assert rig.progress()["attempts"] == 0
        assert [one.result for one in rig.deliver_to_the_end()] == ["updated"]

    @pytest.mark.parametrize(
        ("error", "delay"),
        [(AWAY, 30.0), (IncompleteRead("odd"), 30.0), (RetryLater("later", 7.0), 7.0)],
        ids=["away", "cut off", "later"],
    )
    def test_after_an_outage_some_times_and_then_the_change_has_failed(
        self, error: Exception, delay: float
    ) -> None:
        rig = BatchRig(ScriptedSafetyAmp(error, error, error), updates(2))
        for attempt in (1, 2):
            rig.deliver()
            assert sent(rig) == [(1, 2, delay)]
            assert rig.progress()["attempts"] == attempt
            rig.bus.sent.clear()
        rig.deliver()
        first, other = rig.outcomes()
        assert (first.result, first.reason, other.result) == ("failed", str(error), "updated")

    def test_and_each_change_has_its_own_attempts(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(AWAY, AWAY, None, AWAY, AWAY), updates(2))
        assert [one.result for one in rig.deliver_to_the_end()] == ["updated", "updated"]


class TestWhatMayHaveBeenSentBefore:
    """Updates are repeated; their progress is stored now and then."""

    def test_is_sent_again_by_the_next_handler_and_not_more_than_that(self) -> None:
        script: list[BaseException | None] = [*[None] * (STORE_EVERY + 1), Killed()]
        rig = BatchRig(ScriptedSafetyAmp(*script), updates(STORE_EVERY + 5))
        with pytest.raises(Killed):
            rig.deliver()
        assert (len(rig.progress()["outcomes"]), rig.progress()["tried"]) == (STORE_EVERY, 2 * STORE_EVERY)
        rig.clock.advance(LEASE_SECONDS)
        rig.safetyamp.writes.clear()
        assert [one.result for one in rig.deliver_to_the_end()] == ["updated"] * (STORE_EVERY + 5)
        assert [write["city"] for write in rig.safetyamp.writes] == [
            f"City {number}" for number in range(STORE_EVERY + 1, STORE_EVERY + 6)
        ]

    def killed_in_the_first(self, *then: BaseException | None) -> BatchRig:
        rig = BatchRig(ScriptedSafetyAmp(Killed(), *then), updates(2), entity="employees")
        with pytest.raises(Killed):
            rig.deliver()
        rig.clock.advance(LEASE_SECONDS)
        return rig

    def test_is_unknown_when_it_is_refused_now(self) -> None:
        refusal = InvalidRecord("no", 422, field_errors={"city": ["is odd"]})
        first, other = self.killed_in_the_first(refusal).deliver_to_the_end()
        assert (first.result, first.target_id, first.unknown) == ("refused", 5, {"city": "City 1"})
        assert (other.result, other.unknown) == ("updated", {})

    def test_a_creation_after_it_is_known_with_its_id(self) -> None:
        """It was not sent before, only an update beside it."""
        rig = BatchRig(
            ScriptedSafetyAmp(Killed()), [*updates(1), change("9", email="9@x.example")], entity="employees"
        )
        with pytest.raises(Killed):
            rig.deliver()
        rig.clock.advance(LEASE_SECONDS)
        _, created = rig.deliver_to_the_end()
        assert (created.result, created.target_id) == ("created", 102)

    def test_is_known_when_it_is_taken_now(self) -> None:
        first, _ = self.killed_in_the_first().deliver_to_the_end()
        assert (first.result, first.fields, first.unknown) == ("updated", {"city": "City 1"}, {})

    @pytest.mark.parametrize(("cancelled", "result"), [(True, "cancelled"), (False, "failed")])
    def test_is_unknown_when_the_entity_stops_before(self, cancelled: bool, result: str) -> None:
        rig = self.killed_in_the_first(DENIED)
        if cancelled:
            cancel(rig.services, RUN, "not wanted")
        first, _ = rig.deliver_to_the_end()
        assert (first.result, first.unknown) == (result, {"city": "City 1"})
        assert (first.reason or "").startswith("may have been changed, no answer came: ")

    def test_of_a_stopped_entity_the_rest_was_not_tried(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(None, AWAY), updates(14), entity="employees")
        rig.deliver()
        cancel(rig.services, RUN, "not wanted")
        outcomes = rig.deliver_to_the_end()
        assert [one.result for one in outcomes] == ["updated", *["cancelled"] * 13]
        assert outcomes[1].unknown == {"city": "City 2"}
        assert {one.reason for one in outcomes[2:]} == {"not tried: not wanted"}
        assert not any(one.unknown for one in outcomes[2:])
        assert [one.not_tried for one in outcomes] == [False, False, *[True] * 12]

    def test_whom_it_may_have_switched_off_is_noted_before_the_first_call(self) -> None:
        off = [change(key, "deactivate", system_access=0) for key in ("1", "2")]
        rig = BatchRig(ScriptedSafetyAmp(Killed()), off, entity="employees")
        with pytest.raises(Killed):
            rig.deliver()
        users = read_json(rig.documents, paths.SWITCHED_OFF)["users"]
        assert users == {"5": {"run": RUN, "at": rig.clock.now().isoformat(), "key": "2"}}

    def test_nobody_is_noted_as_switched_off_by_a_batch_that_is_given_up(self) -> None:
        off = [change("1", "deactivate", system_access=0)]
        rig = BatchRig(ScriptedSafetyAmp(), off, entity="employees")
        give_up_batch(rig.services, BatchMessage(RUN, "employees", 1, 1, "start"), "given up")
        assert rig.documents.read(paths.SWITCHED_OFF) is None


class TestACreationInDoubt:
    def people(self, *script: BaseException | None, **fields: Any) -> BatchRig:
        changes = [change(key, email=f"{key}@x.example", **fields) for key in "12"]
        return BatchRig(ScriptedSafetyAmp(*script), changes, entity="employees")

    @pytest.mark.parametrize("status", [409, 301])
    def test_to_which_safetyamp_answers_oddly_is_given_up_after_some_times(self, status: int) -> None:
        """SafetyAmp is there, so this is no outage to sit out."""
        odd = UpstreamUnavailable(f"answered {status}", status)
        rig = self.people(UpstreamUnavailable("answered 405", 405), None, odd, odd)
        began = rig.clock.now()
        first, other = rig.deliver_to_the_end()
        assert (first.result, first.unsure, other.result) == ("failed", True, "created")
        assert first.reason == f"may have been created, no answer came: answered {status}"
        assert len(rig.safetyamp.writes) == 4
        assert rig.clock.now() - began < timedelta(minutes=10)

    def test_that_needs_what_is_gone_by_now_stays_in_doubt(self) -> None:
        rig = self.people(LOST, home_site_id={"$ref": ["jobs", "100."]})
        sites = EntityState("jobs")
        sites.put("100.", Entry(21, "d", {}, {}))
        rig.put(paths.state("jobs"), sites.to_json())
        rig.deliver()
        rig.documents.delete(paths.state("jobs"))
        first, other = rig.deliver_to_the_end()
        assert (first.result, first.unsure) == ("failed", True)
        assert (first.reason or "").startswith("may have been created, no answer came")
        assert (other.result, len(rig.safetyamp.writes)) == ("created", 2)

    def test_of_a_vehicle_that_needs_what_is_gone_is_not_looked_for(self) -> None:
        asset = change("281", name="Truck", site_id={"$ref": ["jobs", "100."]})
        rig = BatchRig(ScriptedSafetyAmp(LOST, lost=[0]), [asset], entity="vehicles")
        sites = EntityState("jobs")
        sites.put("100.", Entry(21, "d", {}, {}))
        rig.put(paths.state("jobs"), sites.to_json())
        rig.deliver()
        rig.documents.delete(paths.state("jobs"))
        [outcome] = rig.deliver_to_the_end()
        assert (outcome.result, outcome.unsure, len(rig.safetyamp.writes)) == ("failed", True, 1)
        assert outcome.reason == "may have been created, no answer came: no answer"

    def test_is_not_taken_for_what_an_earlier_batch_created(self) -> None:
        """Vehicles have no key in SafetyAmp: the same content is another one's, if that is known."""
        first, second = (change(key, name="Truck", serial="SN1") for key in ("281", "282"))
        rig = BatchRig(ScriptedSafetyAmp(None, LOST), [first], [second], entity="vehicles")
        [earlier] = rig.deliver_to_the_end(1)
        [later] = rig.deliver_to_the_end(2)
        assert (later.result, later.adopted) == ("created", False)
        assert later.target_id != earlier.target_id

    def test_that_cannot_be_sent_again_just_now_stays_in_doubt_however_often(self) -> None:
        not_sent = UpstreamUnavailable("no connection", may_have_happened=False)
        rig = self.people(LOST, None, *[not_sent] * 5)
        first, _ = rig.deliver_to_the_end()
        assert (first.result, len(rig.safetyamp.writes)) == ("created", 8)

    def test_whose_listing_is_refused_ends_the_entity(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rig = BatchRig(ScriptedSafetyAmp(LOST), [change("A")])

        def refuse(*_: Any, **__: Any) -> Any:
            raise DENIED

        monkeypatch.setattr(rig.safetyamp, "list_pages", refuse)
        [outcome] = rig.deliver_to_the_end()
        assert (outcome.result, outcome.unsure) == ("failed", True)
        assert "SAFETYAMP_TOKEN" in (get_run(rig.documents, RUN).entities["titles"].reason or "")

    def test_is_not_looked_for_any_more_when_the_entity_stops_between_two(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(LOST, LOST, lost=[0, 1]), [change("A"), change("B")])
        rig.deliver()
        looked: list[int] = []
        pages = rig.safetyamp.list_pages

        def cancelling(resource: str, start_page: int = 0) -> Any:
            looked.append(start_page)
            if len(looked) == 1:
                rig.clock.advance(6)
                cancel(rig.services, RUN, "not wanted")
            return pages(resource, start_page)

        rig.safetyamp.list_pages = cancelling
        outcomes = rig.deliver_to_the_end()
        assert [(one.result, one.unsure) for one in outcomes] == [("failed", True), ("failed", True)]
        assert {one.reason for one in outcomes} == {"may have been created, no answer came: not wanted"}

    def test_that_met_an_error_nobody_thought_of_costs_itself_only(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        first, other = self.people(KeyError("odd")).deliver_to_the_end()
        assert (first.result, first.unsure, other.result) == ("failed", True, "created")
        assert first.reason == "unexpected KeyError while applying, see the log"
        assert "employees 1 met an unexpected error" in caplog.text

    def test_and_of_an_update_that_error_leaves_no_doubt_of_a_record(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(KeyError("odd")), updates(2), entity="employees")
        first, other = rig.deliver_to_the_end()
        assert (first.result, first.unsure, other.result) == ("failed", False, "updated")

    def test_an_answer_that_is_an_error_for_itself_costs_that_change_only(self) -> None:
        first, other = self.people(APIError("answered 418", 418)).deliver_to_the_end()
        assert (first.result, first.unsure, other.result) == ("failed", False, "created")


class TestGivingUp:
    MESSAGE = BatchMessage(RUN, "titles", 1, 9, "start")

    def test_notes_of_every_change_that_is_left_that_it_was_not_tried(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(None, RateLimited("full", 30.0)), [change("A"), change("B")])
        rig.deliver()
        give_up_batch(rig.services, self.MESSAGE, "its message was given up")
        done, left = rig.outcomes()
        assert (done.result, left.result, left.reason) == (
            "created",
            "failed",
            "not tried: its message was given up",
        )
        assert (done.not_tried, left.not_tried) == (False, True)
        assert get_run(rig.documents, RUN).entities["titles"].ended

    def test_leaves_a_batch_alone_on_which_somebody_works(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(), [change("A")])
        rig.put(paths.progress(RUN, "titles", 1), {"outcomes": [], "started": None})
        rig.documents.acquire_lease(paths.progress(RUN, "titles", 1), LEASE_SECONDS)
        give_up_batch(rig.services, self.MESSAGE, "given up")
        assert rig.outcomes() == []
        assert get_run(rig.documents, RUN).entities["titles"].phase == "applying"

    def test_leaves_outcomes_that_are_there(self) -> None:
        rig = BatchRig(ScriptedSafetyAmp(), [change("A")], [change("B")])
        rig.deliver(1)
        give_up_batch(rig.services, self.MESSAGE, "given up")
        assert [one.result for one in rig.outcomes()] == ["created"]

    @pytest.mark.parametrize(("mode", "held"), [("plan", []), ("apply", ["too many"])])
    def test_gives_no_outcomes_to_what_was_not_to_be_applied(self, mode: Any, held: list[str]) -> None:
        rig = BatchRig(ScriptedSafetyAmp(), [change("A")])
        plan = read_json(rig.documents, paths.plan(RUN, "titles"))
        rig.put(paths.plan(RUN, "titles"), {**plan, "held": held})
        run = get_run(rig.documents, RUN)
        rig.put(paths.run(RUN), {**run.to_json(), "request": {**run.request.to_json(), "mode": mode}})
        give_up_batch(rig.services, self.MESSAGE, "given up")
        assert rig.outcomes() == []


def test_the_outcomes_say_what_it_cost_and_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    rig = slow(2, "A", "B")
    rig.put(
        paths.progress(RUN, "titles", 1),
        {"outcomes": [], "started": None, "calls": {"safetyamp": 3}, "requests": {}, "waited_seconds": 1.5},
    )
    with caplog.at_level(logging.INFO, "shared.sync.runs.batch_handler"):
        apply_batch(rig.services, BatchMessage(RUN, "titles", 1, 4, "go-on/1"))
    stored = read_json(rig.documents, paths.outcome(RUN, "titles", 1))
    assert (stored["batch"], stored["attempts"]) == (1, 4)
    assert (stored["calls"], stored["waited_seconds"]) == ({"safetyamp": 3}, 1.5)
    [record] = [one for one in caplog.records if vars(one).get("event") == "batch_applied"]
    told = vars(record)
    assert (told["counts"], told["attempts"], told["duration_ms"]) == ({"created": 2}, 4, 4000)


@pytest.mark.parametrize(("keys", "first"), [((), False), (("A",), True)])
def test_the_batch_of_one_record_goes_first_in_the_window(keys: tuple[str, ...], first: bool) -> None:
    seen: list[bool] = []

    class Looking(ScriptedSafetyAmp):
        def create(self, resource: str, payload: dict[str, Any]) -> dict[str, Any]:
            seen.append(self.work.lane == "interactive")
            return super().create(resource, payload)

    rig = BatchRig(Looking(), [change("A")])
    run = Run(RUN, RunRequest(entities=("titles",), keys=keys), rig.now, {"titles": EntityStatus("applying")})
    rig.put(paths.run(RUN), run.to_json())
    rig.deliver()
    assert seen == [first]
