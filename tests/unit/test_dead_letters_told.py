"""Messages that were given up: what they stood for, whether sending them again helps, and sending them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.errors import BusError
from shared.queries.answers import DeadLetter
from shared.queries.dead_letters import list_dead_letters, resubmit
from shared.queries.paging import Page
from shared.storage.documents import to_json
from shared.sync import paths
from shared.sync.documents.runs import EntityStatus
from shared.sync.messages import BatchMessage, EntityMessage, parse_batch_message, parse_entity_message
from tests.unit.operations_rig import OperationsRig, answers, change, ended, nth_run, outcome

RUN = nth_run(1)
PLAN_TITLES = EntityMessage(RUN, "titles", "start", attempt=2)
APPLY_2 = BatchMessage(RUN, "employees", 2, 5, "sweep/9")


class LettersRig(OperationsRig):
    """A run under way: titles have no plan yet, employees two batches of which none has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.titles, self.employees = EntityStatus(), EntityStatus("applying")
        self.keep()
        self.keep_plan(RUN, [change("1")], [change("2")])

    def keep(self, phase: Any = "running") -> None:
        self.keep_run(1, phase, {"titles": self.titles, "employees": self.employees})

    def bury(self, name: str, body: Any = PLAN_TITLES, queue: str = "entity-sync", **members: Any) -> str:
        """Keep a dead letter; its id."""
        text = json.dumps({"version": 1, **vars(body)}) if not isinstance(body, str) else body
        letter = {
            **{"message_id": f"m-{name}", "reason": "LeaseLost", "delivery_count": 10},
            **{"at": "2026-01-05T06:00:00+00:00", "body": text},
        }
        path = paths.dead_letter(queue, name)
        self.documents.write(path, to_json({**letter, **members}))
        return path.removeprefix(paths.DEAD_LETTERS).removesuffix(".json")

    def page(self, limit: int = 100, cursor: str | None = None) -> Page[DeadLetter]:
        found = list_dead_letters(self.services, limit, cursor)
        answers("list_dead_letters", {"dead_letters": found.items, "next": found.next})
        return found

    def told(self) -> dict[str, Any]:
        """What is said of the only letter."""
        (letter,) = self.page().items
        return dict(letter)

    def resubmit(self, *ids: str) -> list[tuple[bool, str]]:
        results = resubmit(self.services, ids or None)
        answers("resubmit_dead_letters", {"results": results})
        return [(result["sent"], result["advice"]) for result in results]

    @property
    def left(self) -> list[str]:
        return [letter["id"] for letter in self.page().items]


@pytest.fixture
def rig() -> LettersRig:
    return LettersRig()


# -- the list --------------------------------------------------------------------------------------------


def test_where_nothing_was_given_up_the_list_is_empty(rig: LettersRig) -> None:
    assert rig.page() == Page([], None)


def test_a_letter_says_what_it_stood_for(rig: LettersRig) -> None:
    rig.bury("a", APPLY_2, "change-batches")
    assert rig.told() == {
        "id": "change-batches/a",
        "queue": "change-batches",
        "message_id": "m-a",
        "reason": "LeaseLost",
        "delivery_count": 10,
        "at": "2026-01-05T06:00:00+00:00",
        "run_id": RUN,
        "entity": "employees",
        "batch": 2,
        "can_be_resubmitted": True,
        "advice": "Its run is under way and still lacks it: resubmit it.",
    }


def test_a_letter_about_an_entity_has_no_batch(rig: LettersRig) -> None:
    rig.bury("a")
    assert (rig.told()["entity"], rig.told()["batch"]) == ("titles", None)


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_pages_together_show_each_letter_once_in_the_order_of_their_ids(rig: LettersRig, limit: int) -> None:
    ids = sorted(rig.bury(name, queue=queue) for name in "cab" for queue in ("entity-sync", "change-batches"))
    pages = [rig.page(limit)]
    while pages[-1].next is not None:
        assert len(pages) < 50, "the pages have no end"
        pages.append(rig.page(limit, pages[-1].next))
    assert [letter["id"] for page in pages for letter in page.items] == ids
    assert all(len(page.items) == limit for page in pages[:-1])


def test_a_page_that_ends_with_the_last_letter_has_no_next(rig: LettersRig) -> None:
    rig.bury("a")
    rig.bury("b")
    assert (rig.page(2).next, rig.page(1).next) == (None, "entity-sync/a")


def test_a_letter_that_goes_between_two_pages_takes_none_with_it(rig: LettersRig) -> None:
    for name in "abc":
        rig.bury(name)
    first = rig.page(2)
    rig.documents.delete(paths.dead_letter("entity-sync", "b"))
    assert [letter["id"] for letter in rig.page(2, first.next).items] == ["entity-sync/c"]


def test_a_letter_that_cannot_be_read_is_told_as_that_and_hides_no_other(rig: LettersRig) -> None:
    for name in "abc":
        rig.bury(name)
    rig.damage(paths.dead_letter("entity-sync", "b"))
    first, damaged, last = rig.page().items
    assert (first["can_be_resubmitted"], last["can_be_resubmitted"]) == (True, True)
    assert "entity-sync/b.json cannot be read" in damaged["reason"]
    assert (damaged["can_be_resubmitted"], damaged["run_id"], damaged["message_id"]) == (False, None, None)


@pytest.mark.parametrize("run_id", ["../../x", "a b", "x" * 300])
def test_a_letter_of_no_possible_run_hides_no_other(rig: LettersRig, run_id: str) -> None:
    rig.bury("a")
    rig.bury("b", EntityMessage(run_id, "titles", "start"))
    first, odd = rig.page().items
    assert (first["can_be_resubmitted"], odd["can_be_resubmitted"]) == (True, False)
    assert "Nobody can read this message" in odd["advice"]


# -- whether sending it again is of use ------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        *("", "no json", "[]", "{}", '{"version": 1}', '{"version": 2, "run_id": "r", "entity": "titles"}'),
        json.dumps({"version": 1, **vars(PLAN_TITLES), "entity": "things"}),
    ],
)
def test_what_nobody_can_read_lost_nothing(rig: LettersRig, body: str) -> None:
    rig.bury("a", body)
    told = rig.told()
    assert (told["can_be_resubmitted"], told["run_id"], told["entity"]) == (False, None, None)
    assert told["advice"].startswith("Nobody can read this message, so that nothing was lost with it")


def test_what_belongs_to_a_run_that_is_gone_is_begun_anew(rig: LettersRig) -> None:
    rig.bury("a", EntityMessage(nth_run(9), "jobs", "start"))
    assert rig.told()["advice"] == "Its run is no longer kept. Start a run instead: POST /api/sync/jobs."


def test_what_belongs_to_a_run_that_cannot_be_read_is_begun_anew(rig: LettersRig) -> None:
    rig.bury("a")
    rig.damage(paths.run(RUN))
    told = rig.told()
    assert told["can_be_resubmitted"] is False
    assert told["advice"].startswith("Its run is given up: ")
    assert told["advice"].endswith("Start a run instead: POST /api/sync/titles.")


@pytest.mark.parametrize("what", ["the run", "the entity", "not in it"])
def test_what_has_ended_with_its_run_is_begun_anew(rig: LettersRig, what: str) -> None:
    message = PLAN_TITLES
    if what == "the run":
        rig.keep("failed")
    elif what == "the entity":
        rig.titles = ended("failed")
        rig.keep()
    else:
        message = EntityMessage(RUN, "vehicles", "start")
    rig.bury("a", message)
    assert rig.told()["advice"] == (
        "Its run has ended with it, and what it stood for is noted as not tried. Start a run instead: POST"
        f" /api/sync/{message.entity}."
    )


def test_a_batch_that_has_been_settled_needs_nothing(rig: LettersRig) -> None:
    rig.bury("a", APPLY_2)
    rig.keep_outcomes(RUN, 1, outcome("1"))
    assert rig.told()["can_be_resubmitted"] is True, "that was another batch"
    rig.keep_outcomes(RUN, 2, outcome("2"))
    assert rig.told()["advice"].startswith("Its batch has been settled")


def test_an_entity_that_has_been_planned_needs_nothing(rig: LettersRig) -> None:
    rig.bury("a")
    rig.keep_plan(RUN, entity="titles")
    assert rig.told()["advice"].startswith("Its entity has been planned since. Nothing to do")


def test_an_approval_has_a_plan_of_its_own_that_may_be_lacking(rig: LettersRig) -> None:
    rig.bury("a")
    rig.keep_plan(RUN, entity="titles")
    rig.titles = EntityStatus("pending", approval="a1", approved_at="2026-01-05T06:00:00+00:00")
    rig.keep()
    assert rig.told()["can_be_resubmitted"] is True


# -- sending it again ------------------------------------------------------------------------------------


def test_what_a_run_lacks_is_sent_to_its_queue_and_forgotten_here(rig: LettersRig) -> None:
    ids = [rig.bury("a", APPLY_2, "change-batches"), rig.bury("b")]
    assert rig.resubmit(*ids) == [(True, "It is on its way.")] * 2
    batch, entity = rig.bus.sent
    assert [batch.queue, entity.queue] == [rig.settings.batch_queue, rig.settings.entity_queue]
    assert parse_batch_message(batch.body.encode()).batch == 2
    assert parse_entity_message(entity.body.encode()).entity == "titles"
    assert rig.left == []


def test_what_is_sent_again_is_never_dropped_as_a_repeat_and_is_tried_as_the_first_time(
    rig: LettersRig,
) -> None:
    seen = {PLAN_TITLES.message_id}
    for number in range(1, 4):
        rig.clock.advance(1)
        rig.resubmit(rig.bury("a"))
        seen |= {message.message_id for message in rig.bus.sent}
        assert len(seen) == number + 1
    assert {parse_entity_message(message.body.encode()).attempt for message in rig.bus.sent} == {1}


def test_without_ids_all_are_looked_at_and_those_that_are_of_no_use_stay(rig: LettersRig) -> None:
    rig.bury("a", "no json")
    rig.bury("b")
    rig.bury("c", EntityMessage(nth_run(9), "jobs", "start"))
    rig.bury("d", APPLY_2)
    assert [sent for sent, _ in rig.resubmit()] == [False, True, False, True]
    assert rig.left == ["entity-sync/a", "entity-sync/c"]
    assert len(rig.bus.sent) == 2


def test_all_are_so_many_at_most(rig: LettersRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.queries.dead_letters.MOST_EXAMINED", 2)
    for name in "abc":
        rig.bury(name)
    assert len(rig.resubmit()) == 2
    assert rig.left == ["entity-sync/c"]


def test_only_the_named_ones_are_sent(rig: LettersRig) -> None:
    rig.bury("a")
    assert rig.resubmit(rig.bury("b")) == [(True, "It is on its way.")]
    assert rig.left == ["entity-sync/a"]


@pytest.mark.parametrize(
    "letter_id",
    ["entity-sync/z", "", "..", "../control", "entity-sync/../../control", "/etc/passwd", "a\\b", "a" * 300],
)
def test_an_id_that_is_none_leads_nowhere(rig: LettersRig, letter_id: str) -> None:
    rig.documents.write("control.json", b"{}")
    before = rig.everything()
    assert rig.resubmit(letter_id) == [(False, "There is no such dead letter.")]
    assert rig.everything() == before


def test_a_letter_that_cannot_be_read_is_kept(rig: LettersRig) -> None:
    letter_id = rig.bury("a")
    rig.damage(paths.dead_letter("entity-sync", "a"))
    ((sent, advice),) = rig.resubmit(letter_id)
    assert (sent, advice.startswith("Nobody can read this message")) == (False, True)
    assert rig.left == [letter_id]


def test_what_could_not_be_sent_is_kept(rig: LettersRig) -> None:
    letter_id = rig.bury("a")
    rig.bus.away = True
    with pytest.raises(BusError):
        rig.resubmit(letter_id)
    assert rig.left == [letter_id]


def test_a_letter_that_was_sent_is_not_sent_twice(rig: LettersRig) -> None:
    letter_id = rig.bury("a")
    assert rig.resubmit(letter_id, letter_id) == [
        (True, "It is on its way."),
        (False, "There is no such dead letter."),
    ]
    assert len(rig.bus.sent) == 1
