"""Rehearsals: the promises hold in each disaster, and builds that are broken on purpose break one."""

from __future__ import annotations

import copy
import io
import logging
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from rich.console import Console

from cli.rehearse import chosen, rehearse, show_disasters
from local.documents.kept import KeptDocuments
from local.host.once import SOMETHING_FAILED
from local.rehearsal.disasters import DISASTERS, play
from local.rehearsal.promises import (
    PROMISES,
    Promise,
    broken_promises,
    every_run_has_ended,
    leavers_are_off,
    no_message_was_given_up,
    nobody_is_locked_out,
    nobody_is_missing,
    nobody_is_there_twice,
    safetyamp_was_never_asked_too_often,
    what_vista_says_has_arrived,
)
from local.rehearsal.world import NEW_ROAD, World
from local.simulators.simulator import Call as SeenCall
from shared.clients.http.answers import Answer, Call, value_of
from shared.clients.listings import checked_records, member
from shared.clients.safetyamp import PAGE_SIZE, SafetyAmpClient
from shared.clock import SystemClock
from shared.errors import ConfigurationError
from shared.resilience.rate_limiter import UnlimitedRateLimiter
from shared.resilience.shared_rate_limiter import SharedRateLimiter
from shared.storage.documents import read_json, to_json
from shared.sync import paths
from shared.sync.documents.runs import run_ids

HAPPENED = {
    "throttled": "429 to 8 calls",
    "field-refused": "16 updated, 4 failed",
    "pages-short": "listed 0 employees",
    "source-empty": "the source returned no records",
    "source-half": " held: ",
    "crash": "killed: run .* killed: run .*the same command",
    "answers-lost": "no answer to 5 calls",
    "message-twice": r"[1-9]\d* messages came twice",
    "graph-gone": "Microsoft Graph could not be read",
    "token-expired": "401 to 1 calls",
    "safetyamp-away": "503 to 12 calls",
    "mass-termination": " held: .*: 15 deactivated",
    "late-approval": " held: .*approves the old plan.* done: ",
}
"""What the timeline or the stand-in tells when a disaster came to pass: promises are easily kept without."""


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The world sets the certificate for this process; others must not keep it."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "")
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


def broken(world: World) -> dict[str, list[str]]:
    """What does not hold, by promise."""
    return {promise: found for promise, found in broken_promises(world).items() if found}


def broken_in(
    tmp_path: Path, name: str, settings: Mapping[str, str] | None = None, **limits: Any
) -> dict[str, list[str]]:
    """What does not hold after a disaster."""
    with World(tmp_path, lambda _: None, **limits) as world:
        world.environment.update(settings or {})
        play(world, chosen([name])[0])
        return broken(world)


@pytest.mark.parametrize("name", [one.name for one in DISASTERS])
def test_promises_hold_in_each_disaster(tmp_path: Path, name: str) -> None:
    with World(tmp_path, lambda _: None) as world:
        play(world, chosen([name])[0])
        assert broken(world) == {}
        statuses = Counter(call.status for call in world.safetyamp.calls).items()
        answers = [f"{status or 'no answer'} to {count} calls" for status, count in statuses]
        assert re.search(HAPPENED[name], " ".join([*world.say.lines, *answers]))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A company after its first load; nothing runs any more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", "")
        with World(tmp_path_factory.mktemp("loaded"), lambda _: None) as world:
            world.run()
        yield world


@pytest.fixture
def world(loaded: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The same, to be broken: what is done to stand-in and documents is undone."""
    documents = tmp_path / "documents"
    shutil.copytree(loaded.environment["LOCAL_FOLDER"], documents)
    monkeypatch.setitem(loaded.environment, "LOCAL_FOLDER", str(documents))
    monkeypatch.setattr(loaded, "company", copy.deepcopy(loaded.company))
    monkeypatch.setattr(loaded.safetyamp, "calls", list(loaded.safetyamp.calls))
    kept = loaded.safetyamp.dump()
    yield loaded
    loaded.safetyamp.load(kept)


Breach = Callable[[World], object]


def added(resource: str, **changed: Any) -> Breach:
    """The last record of a resource is there once more."""

    def breach(world: World) -> None:
        last = world.safetyamp.snapshot()[resource][-1]
        world.safetyamp.add(resource, {**{name: last[name] for name in last if name != "id"}, **changed})

    return breach


def user_id(world: World, number: int) -> str:
    found: str = next(user["id"] for user in world.users() if user["emp_id"] == str(number))
    return found


def removed(number: int) -> Breach:
    return lambda world: world.safetyamp.remove("users", user_id(world, number))


def switched(number: int, *, on: bool) -> Breach:
    return lambda world: world.safetyamp.edit("users", user_id(world, number), system_access=on)


def moved(number: int) -> Breach:
    """Vista says so, and nobody has told SafetyAmp."""

    def breach(world: World) -> None:
        (row,) = (row for row in world.company.own_employees() if row["Employee"] == number)
        row["Address"] = f"1 {NEW_ROAD}"

    return breach


def called_too_early(world: World) -> None:
    refused = SeenCall("GET", "/api/users", 429, 7.0)
    answered = [refused._replace(status=200, at=7.0 + seconds) for seconds in (0.9, 1.1)]
    world.safetyamp.calls.extend([refused, *answered])


def reopened(world: World) -> None:
    (run_id,) = run_ids(world.documents)
    path = paths.run(run_id)
    world.documents.write(path, to_json({**read_json(world.documents, path), "phase": "running"}))


def deleted(path: Callable[..., str], *arguments: Any) -> Breach:
    """A document of the run."""
    return lambda world: world.documents.delete(path(*run_ids(world.documents), *arguments))


# PLAIN has nothing odd; of ODD the report says that both phones were dropped; TWICE was there twice before;
# GONE left long ago; ENDING leaves in ten days.
PLAIN, ODD, TWICE, GONE, ENDING = 10001, 10012, 10028, 10043, 10042

BREACHES: Mapping[str, tuple[Promise, str, Breach]] = {
    "user twice": (nobody_is_there_twice, f"users {PLAIN} .*", added("users", emp_id=f"0{PLAIN}")),
    "user thrice": (nobody_is_there_twice, f"users {TWICE} .*", added("users", emp_id=str(TWICE))),
    "title twice": (nobody_is_there_twice, "user_titles laborer .*", added("user_titles", name="LABORER")),
    "job twice": (nobody_is_there_twice, "sites .* is there more than once", added("sites")),
    "vehicle twice": (nobody_is_there_twice, "assets .* is there more than once", added("assets")),
    "missing": (nobody_is_missing, f"employee {PLAIN} has no user", removed(PLAIN)),
    "odd and missing": (nobody_is_missing, f"employee {ODD} has no user", removed(ODD)),
    "ending and missing": (nobody_is_missing, f"employee {ENDING} has no user", removed(ENDING)),
    "off": (nobody_is_locked_out, f"employee {PLAIN} is locked out", switched(PLAIN, on=False)),
    "odd and off": (nobody_is_locked_out, f"employee {ODD} is locked out", switched(ODD, on=False)),
    "ending and off": (nobody_is_locked_out, f"employee {ENDING} is locked out", switched(ENDING, on=False)),
    "gone and on": (leavers_are_off, f"employee {GONE} has left and may .*", switched(GONE, on=True)),
    "moved": (what_vista_says_has_arrived, f"employee {PLAIN} still has the old street", moved(PLAIN)),
    "odd and moved": (what_vista_says_has_arrived, f"employee {ODD} still has the old street", moved(ODD)),
    "too early": (safetyamp_was_never_asked_too_often, "1 calls came before the time .*", called_too_early),
    "run open": (every_run_has_ended, "run .* has not ended", reopened),
    "run lost": (every_run_has_ended, "run .* has not ended", deleted(paths.run)),
    "report lost": (every_run_has_ended, "run .* has no report", deleted(paths.report)),
    "batch open": (every_run_has_ended, "batch 1 of titles in run .*", deleted(paths.outcome, "titles", 1)),
    "dead letter": (
        no_message_was_given_up,
        "dead-letters/entity/1.json is a dead letter",
        lambda world: world.documents.write(paths.dead_letter("entity", "1"), b"{}"),
    ),
}
"""Which promise is broken, how that is told, and by what."""


def test_nothing_is_broken_after_a_first_load(world: World) -> None:
    assert broken(world) == {}


@pytest.mark.parametrize("name", BREACHES)
def test_what_breaks_a_promise_is_told(world: World, name: str) -> None:
    promise, told, breach = BREACHES[name]
    breach(world)
    found = broken(world)
    assert list(found) == [promise.__name__.replace("_", " ")]
    (line,) = found[promise.__name__.replace("_", " ")]
    assert re.fullmatch(told, line)


def test_each_promise_has_been_broken_once() -> None:
    assert {promise for promise, *_ in BREACHES.values()} == set(PROMISES)


def test_a_run_that_was_left_under_way_breaks_a_promise(tmp_path: Path) -> None:
    with World(tmp_path, lambda _: None) as world:
        world.run_and_kill(lambda: world.safetyamp.created.get("users", 0) >= 1)
        (run_id,) = run_ids(world.documents)
        assert broken(world)["every run has ended"] == [
            f"run {run_id} is under way",
            f"run {run_id} has not ended",
        ]


def test_a_run_that_ended_before_it_was_killed_is_told(tmp_path: Path) -> None:
    with World(tmp_path, lambda _: None) as world:
        world.run_and_kill(lambda: False)
        assert world.say.lines == ["it ended before it was killed"]


def test_a_build_that_takes_an_error_for_a_success_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trusting(call: Call, answer: Answer) -> Any:
        if answer.status < 400 or call.method == "GET":
            return value_of(call, answer)
        return {"data": {"id": "abcde"}}

    monkeypatch.setattr("shared.clients.http.pipeline.value_of", trusting)
    assert "what vista says has arrived" in broken_in(tmp_path, "safetyamp-away")


def test_a_build_that_takes_a_short_page_for_the_last_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hasty(self: SafetyAmpClient, resource: str, start_page: int = 0) -> Iterator[list[dict[str, Any]]]:
        for page in range(start_page, 1000):
            params: Mapping[str, Any] = {"page": page, "limit": PAGE_SIZE}
            body = self._pipeline.request("GET", f"/api/{resource}", params=params)
            records = checked_records(member(body, "data", resource), resource)
            yield records
            if len(records) < PAGE_SIZE:
                return

    monkeypatch.setattr(SafetyAmpClient, "list_pages", hasty)
    assert "nobody is there twice" in broken_in(tmp_path, "pages-short")


def test_a_build_without_a_limiter_that_all_share_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = UnlimitedRateLimiter(SystemClock(), "safetyamp")
    for name in ("acquire", "complete"):
        monkeypatch.setattr(SharedRateLimiter, name, staticmethod(getattr(alone, name)))
    # So narrow a window that even a busy machine is too fast for it; the end need not be waited for.
    found = broken_in(tmp_path, "source-half", calls=12, period=3.0, patience=15.0)
    assert "safetyamp was never asked too often" in found


def test_a_build_without_a_guard_fails(tmp_path: Path) -> None:
    unguarded = {"GUARD_MAX_DEACTIVATIONS": "100", "GUARD_MAX_PERCENT": "100"}
    found = broken_in(tmp_path, "late-approval", unguarded)
    # All are on again at the end.
    assert f"employee {PLAIN} was locked out" in found["nobody is locked out"]
    assert f"employee {PLAIN} had left and lost access before that was approved" in found["leavers are off"]


def test_a_build_that_waits_for_graph_before_it_switches_leavers_off_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.sync.runs.entity_handler._only_leavers", lambda *_: None)
    assert list(broken_in(tmp_path, "graph-gone")) == ["leavers are off"]


def test_a_build_that_repeats_what_got_no_answer_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.sync.runs.batch_handler.is_ambiguous", lambda *_: False)
    assert "nobody is there twice" in broken_in(tmp_path, "answers-lost")


def test_a_build_that_forgets_what_it_had_begun_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with World(tmp_path, lambda _: None) as world:
        world.run_and_kill(lambda: world.safetyamp.created.get("user_titles", 0) >= 3)
        monkeypatch.setattr("shared.sync.documents.progress._read", lambda *_: None)
        world.run()
        assert "nobody is there twice" in broken(world)


def test_a_build_that_leases_nothing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = Barrier(2)

    def unleased(self: KeptDocuments, path: str, seconds: int) -> None:
        if "/titles/progress/" in path:
            with suppress(BrokenBarrierError):
                both.wait(30)

    monkeypatch.setattr(KeptDocuments, "acquire_lease", unleased)
    assert "nobody is there twice" in broken_in(tmp_path, "message-twice")


def test_a_build_that_fails_at_what_another_has_in_hand_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(*_: object) -> None:
        raise RuntimeError("somebody works on it")

    monkeypatch.setattr("shared.sync.runs.batch_handler._hand_on", raising)
    assert "no message was given up" in broken_in(tmp_path, "message-twice")


def test_a_build_that_loses_messages_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.queues.apply_batch", lambda *_: None)
    with World(tmp_path, lambda _: None, patience=1.0) as world:
        play(world, chosen(["throttled"])[0])
        (run_id,) = run_ids(world.documents)
        assert world.say.lines[-1] == f"run {run_id} does not end; what was to follow is left out"
        assert f"run {run_id} is under way" in broken(world)["every run has ended"]


def test_a_broken_promise_is_told_and_is_the_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([{"nobody is missing": ["employee 7 has no user"]}, {"nobody is missing": []}])
    monkeypatch.setattr("cli.rehearse.play", lambda *_: None)
    monkeypatch.setattr("cli.rehearse.broken_promises", lambda _: next(found))
    file = io.StringIO()
    assert rehearse(Console(file=file, width=200), chosen(["crash", "throttled"]), None) == SOMETHING_FAILED
    assert "  BROKEN nobody is missing: employee 7 has no user" in file.getvalue()
    assert "  ok     nobody is missing" in file.getvalue()


def test_the_timeline_and_the_promises_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    file = io.StringIO()
    assert rehearse(Console(file=file, width=200), chosen(["source-half"]), None) == 0
    lines = file.getvalue().splitlines()
    assert lines[0] == "source-half: a source with half of its records"
    places = [
        next(number for number, line in enumerate(lines) if part in line)
        for part in (
            "first load",
            "every second employee",
            " held: ",
            "whole again",
            "ok     nobody is missing",
        )
    ]
    assert places == sorted(places)
    assert "docs/runbook.md: run-held" in lines[-1]


def test_an_unknown_disaster_names_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="late-approval"):
        chosen(["fire"])
    assert [one.name for one in chosen(["all"])] == [one.name for one in DISASTERS]


def test_the_list_has_all_of_them() -> None:
    file = io.StringIO()
    show_disasters(Console(file=file, width=80))
    assert len(file.getvalue().splitlines()) == len(DISASTERS)


def test_each_names_a_heading_of_the_runbook() -> None:
    headings = Path("docs/runbook.md").read_text("utf-8").splitlines()
    assert [one.name for one in DISASTERS if f"### {one.runbook}" not in headings] == []
