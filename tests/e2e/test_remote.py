"""The command line beside the API, against the real app: each command, its exit status, and who is called."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.remote.address import KEY_SETTING, URL_SETTING
from local.company.model import vista_date
from shared.sync.documents.control import read_pauses
from shared.sync.documents.runs import RunRequest, get_run
from shared.sync.runs.requests import request_run
from tests.e2e.busy_world import HOSTILE, INVALID, LEAVERS, REFUSED, busy_world
from tests.e2e.http_rig import Api, api_for
from tests.e2e.processes import environment
from tests.e2e.remote_rig import KEY, Terminal, served_rig, terminal
from tests.e2e.rig import START
from tests.e2e.small_company import contract_row, job_row

__all__ = ["terminal"]

PERSON = 1001
TAKEN = '{"message":"invalid","errors":{"email":["The email has already been taken."]}}'


@pytest.fixture
def api(tmp_path: Path, terminal: Terminal) -> Iterator[Api]:
    """A minute after the first load; the terminal knows address and key."""
    api = api_for(tmp_path, GUARD_MAX_PERCENT="20")
    api.rig.run()
    api.rig.clock.advance(60)
    with served_rig(api) as url:
        terminal.at(url, KEY)
        yield api
    api.rig.close()


@pytest.fixture
def busy(tmp_path: Path, terminal: Terminal) -> Iterator[Api]:
    api = busy_world(tmp_path)
    with served_rig(api) as url:
        terminal.at(url, KEY)
        yield api
    api.rig.close()


def change(api: Api, number: int = PERSON, **columns: Any) -> None:
    api.rig.person(number).update(columns)
    api.rig.publish()


def held_run(api: Api) -> str:
    (run,) = api.get("/api/runs", phase="held")["runs"]
    return str(run["run_id"])


class TestStatus:
    def test_tells_what_is_paused_under_way_and_next(self, busy: Api, terminal: Terminal) -> None:
        said = terminal.types("status")
        assert said.status == 0
        assert "titles: since 2026-03-03" in said.out
        assert "by Jo Example: titles are renamed in Vista until noon" in said.out
        assert f"Under way: run {busy.rig.active}" in said.out
        assert "dead letters: 2" in said.out
        assert "employees held: 3 of 40 people would be deactivated" in said.out
        assert "sync: 2026-03-03 05:00 UTC (in 25 min)" in said.out

    def test_what_is_missing_is_told_with_what_to_do_and_is_a_failure(
        self, api: Api, terminal: Terminal
    ) -> None:
        api.rig.stack.runtime.vista.close()
        api.rig.database.unlink()
        said = terminal.types("status")
        assert said.status == 1
        assert "Needed: 1 missing" in said.out
        wrong = said.out[said.out.index("  ✗ vista: ") :].splitlines()
        assert any(line.startswith("    → ") for line in wrong[1:3])

    def test_an_open_breaker_is_told_and_is_a_failure(self, api: Api, terminal: Terminal) -> None:
        breaker = api.rig.stack.runtime.breaker("samsara")
        for _ in range(api.rig.stack.runtime.settings.breaker_failure_threshold):
            breaker.before_call()
            breaker.failed()
        said = terminal.types("status")
        assert said.status == 1
        assert "samsara is left alone for 60 s more after 5 failures: open" in said.words


class TestRuns:
    def test_are_listed_with_what_they_changed(self, busy: Api, terminal: Terminal) -> None:
        said = terminal.types("runs", "--limit", "3")
        assert said.status == 0
        lines = [line for line in said.out.splitlines() if "│" in line]
        assert [line.split("│")[1].strip() for line in lines] == ["running", "held", "done"]
        assert lines[0].split("│")[4].strip() == "jobs, vehicles"
        assert [figure.strip() for figure in lines[2].split("│")[5:]] == ["0", "1", "1", "0"]
        cursor = said.out.split()[-1]
        following = terminal.types("runs", "--limit", "3", "--cursor", cursor)
        assert cursor not in following.out.split("There are more")[0]

    def test_one_is_shown_and_its_exit_status_is_that_of_once(self, busy: Api, terminal: Terminal) -> None:
        run_id = held_run(busy)
        said = terminal.types("runs", run_id)
        assert said.status == 3
        assert f"safetyamp-sync approve {run_id}" in said.out
        assert f"safetyamp-sync changes {run_id}" in said.out
        assert f"employees {INVALID} invalid (LastName): LastName is empty" in said.out

    def test_one_under_way_shows_how_far_it_is(self, busy: Api, terminal: Terminal) -> None:
        said = terminal.types("runs", busy.rig.active)
        assert "jobs: 8 of 14 changes made, ends about 2026-03-03 04:36 UTC" in said.out

    def test_one_that_failed_is_status_1(self, busy: Api, terminal: Terminal) -> None:
        run = next(run for run in busy.get("/api/runs")["runs"] if run["counts"].get("failed"))
        assert terminal.types("runs", run["run_id"]).status == 1

    def test_changes_have_before_and_after(self, busy: Api, terminal: Terminal) -> None:
        said = terminal.types("changes", held_run(busy), "--action", "deactivate", "--limit", "2")
        assert said.status == 0
        first, second = LEAVERS[:2]
        assert f"employees {first}: deactivate, planned\n  system_access: 1 → 0" in said.out
        assert f"employees {second}" in said.out
        more = said.out.strip().splitlines()[-1].strip().removeprefix("safetyamp-sync ").split()
        assert str(LEAVERS[2]) in terminal.types(*more).out

    def test_a_held_plan_is_approved_and_goes_on(self, busy: Api, terminal: Terminal) -> None:
        run_id = held_run(busy)
        assert terminal.types("approve", run_id).status == 1, "another run is under way"
        assert terminal.types("cancel", busy.rig.active).status == 0
        busy.rig.drain()
        said = terminal.types("approve", run_id)
        assert (said.status, f"the held plans of run {run_id} go on" in said.out) == (0, True)
        busy.rig.finish(run_id)
        assert [busy.rig.user(number)["system_access"] for number in LEAVERS] == [0, 0, 0]
        assert "holds no plan" in terminal.types("approve", run_id).err

    def test_one_is_cancelled(self, busy: Api, terminal: Terminal) -> None:
        run_id = busy.rig.active
        assert "what was done stays done" in terminal.types("cancel", run_id).out
        busy.rig.drain()
        assert get_run(busy.rig.documents, run_id).phase == "cancelled"


class TestForemansCall:
    def test_somebody_refused_is_found_explained_and_mended(self, api: Api, terminal: Terminal) -> None:
        change(api, Employee=5000, FirstName="Sam", LastName="Newman")
        change(api, 5000, Email="sam@tworivers.example", Phone="225-555-5000")
        api.rig.safetyamp.fail_next(9, 422, TAKEN, match="POST /api/users")
        api.rig.run()
        found = terminal.types("search", "newman", "sam")
        assert found.out.strip().splitlines()[-1].strip() == "safetyamp-sync explain employees 5000"
        said = terminal.types("explain", "employees", "5000")
        assert said.status == 0
        parts = ["Vista has it.", "To do:", "Source", "SafetyAmp:", "Difference", "History", "Next: refused"]
        places = [said.out.index(part) for part in parts]
        assert places == sorted(places), "the answer first, and what it rests on after it"
        assert "SafetyAmp said of email: The email has already been taken." in said.out
        assert "To do: Another SafetyAmp record has the same value." in said.words
        assert "safetyamp-sync sync employees --record 5000 --refresh\n" in said.out
        assert "POST /api/" not in said.out.split("History")[0], "calls are told as commands"
        refused = terminal.types("sync", "employees", "--record", "5000")
        assert (refused.status, "result: refused" in refused.out) == (1, True)
        api.rig.safetyamp.heal()
        done = terminal.types("sync", "employees", "--record", "5000")
        assert done.status == 0
        assert "call: POST /api/users" in done.out
        assert f"result: created as {api.rig.user(5000)['id']}" in done.out

    def test_somebody_who_waits_for_a_job_is_told_to_look_at_that(self, api: Api, terminal: Terminal) -> None:
        api.rig.company.tables["bJCJM"].append(job_row("400."))
        api.rig.company.tables["bJCCM"].append(contract_row("400.", "10"))
        (worked,) = (row for row in api.rig.company.tables["bPRJC"] if row["Employee"] == PERSON)
        worked["Job"] = "400."
        api.rig.publish()
        api.rig.safetyamp.fail_next(1, 422, '{"message":"no"}', match="POST /api/sites")
        api.rig.run()
        said = terminal.types("explain", "employees", str(PERSON))
        assert "Next: waiting for jobs 400., which SafetyAmp does not have yet" in said.words
        assert "safetyamp-sync explain jobs 400.\n" in said.out

    def test_a_difference_is_marked_and_told_when_it_goes(self, api: Api, terminal: Terminal) -> None:
        change(api, LastName="Married")
        said = terminal.types("explain", "employees", str(PERSON))
        assert f"  last_name: Worker{PERSON} → Married" in said.out
        (marked,) = (line for line in said.out.splitlines() if line.startswith("≠"))
        assert [part.strip() for part in marked.split("│")] == ["≠ last_name", "Married", f"Worker{PERSON}"]
        assert said.out.strip().endswith("Next: update, 2026-03-02 13:00 UTC (in 59 min)")
        assert f"safetyamp-sync sync employees --record {PERSON}" in said.out

    def test_somebody_held_gets_the_commands_that_decide(self, busy: Api, terminal: Terminal) -> None:
        said = terminal.types("explain", "employees", str(LEAVERS[0]))
        assert f"  safetyamp-sync approve {held_run(busy)}\n" in said.out

    def test_a_plan_of_one_record_changes_nothing(self, api: Api, terminal: Terminal) -> None:
        change(api, LastName="Married")
        said = terminal.types("sync", "employees", "--record", str(PERSON), "--plan")
        assert (said.status, "result: planned" in said.out) == (0, True)
        assert api.rig.user(PERSON)["last_name"] == f"Worker{PERSON}"

    def test_what_takes_longer_than_anybody_waits_goes_on_by_itself(
        self, api: Api, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shared.queries.on_demand.WORK_SECONDS", -1.0)
        said = terminal.types("sync", "employees", "--record", str(PERSON))
        assert (said.status, "It is not done yet and goes on by itself:" in said.out) == (0, True)
        assert f"safetyamp-sync runs {api.rig.active}" in said.out

    def test_what_was_dropped_is_told(self, api: Api, terminal: Terminal) -> None:
        change(api, Phone="225-555-9999", LastName="Married")
        texts = '{"message":"no","errors":{"mobile_phone":["The mobile phone has already been taken."]}}'
        api.rig.safetyamp.fail_next(1, 422, texts, match="PATCH /api/users*")
        said = terminal.types("sync", "employees", "--record", str(PERSON))
        assert f"result: updated as {api.rig.user(PERSON)['id']}\nleft out, because" in said.out
        assert "SafetyAmp said of mobile_phone: The mobile phone" in said.out

    def test_somebody_invalid_is_status_1(self, api: Api, terminal: Terminal) -> None:
        change(api, LastName=" ")
        said = terminal.types("sync", "employees", "--record", str(PERSON))
        assert (said.status, "source: invalid: LastName is empty" in said.out) == (1, True)

    def test_leavers_beyond_the_guard_are_status_3(self, api: Api, terminal: Terminal) -> None:
        api.rig.company.tables["bPREH"][:] = api.rig.company.tables["bPREH"][:1]
        api.rig.publish()
        run_id = api.rig.run().run_id
        assert terminal.types("runs", run_id).status == terminal.types("failures").status == 3

    def test_somebody_whom_the_guard_holds_is_status_3(self, tmp_path: Path, terminal: Terminal) -> None:
        api = api_for(tmp_path, GUARD_MAX_PERCENT="5")
        api.rig.run()
        change(api, TermDate=vista_date(START.date()))
        with served_rig(api, None) as url:
            said = terminal.at(url).types("sync", "employees", "--record", str(PERSON))
        assert (said.status, "safetyamp-sync approve " in said.out) == (3, True)
        assert api.rig.user(PERSON)["system_access"] == 1
        api.rig.close()

    def test_search_tells_where_somebody_is_whatever_they_are_called_there(
        self, api: Api, terminal: Terminal
    ) -> None:
        change(api, LastName="Married")
        (line,) = (row for row in terminal.types("search", f"worker{PERSON}").out.splitlines() if "│" in row)
        assert [part.strip() for part in line.split("│")][2:] == ["yes", "yes"]
        assert (
            "no record of jobs has all these words" in terminal.types("search", "x", "--entity", "jobs").out
        )


class TestFailuresAndStarting:
    def test_failures_are_grouped_with_what_to_do(self, busy: Api, terminal: Terminal) -> None:
        said = terminal.types("failures")
        assert said.status == 1
        assert f"UTC: {REFUSED}" in said.out
        assert "invalid: no last name" in said.out
        assert "→ HR: Vista > PR Employees > Info > Last Name: the last name" in said.words
        assert "→ Another SafetyAmp record has the same value." in said.out
        assert f"safetyamp-sync approve {held_run(busy)}" in said.out

    def test_the_last_days_are_a_line_each(self, busy: Api, terminal: Terminal) -> None:
        said = terminal.types("trends", "--days", "2")
        today, before = busy.get("/api/trends", days=2)["days"][::-1]
        assert said.status == 0
        for day in (today, before):
            (line,) = (line for line in said.out.splitlines() if line.startswith(day["day"]))
            counts = (day[name] for name in ("runs", "created", "updated", "deactivated", "findings"))
            assert [int(cell) for cell in line.split("\u2502")[1:6]] == list(counts)

    def test_nothing_that_fails_is_status_0(self, api: Api, terminal: Terminal) -> None:
        said = terminal.types("failures")
        assert (said.status, said.out.strip()) == (0, "No record fails.")

    def test_a_run_is_started(self, api: Api, terminal: Terminal) -> None:
        for words in (["sync", "titles", "--plan", "--refresh"], ["retry", "jobs"], ["retry"]):
            said = terminal.types(*words)
            run_id = said.out.split()[-1]
            assert (said.status, f"run {run_id} has begun" in said.out) == (0, True)
            request = get_run(api.rig.documents, run_id).request
            assert request.retry_failed is True
            assert (request.mode, request.refresh) == (
                ("plan", True) if "--plan" in words else ("apply", False)
            )
            assert len(request.entities) == (5 if words == ["retry"] else 1)
            api.rig.finish(run_id)

    def test_one_under_way_is_in_the_way_and_named(self, api: Api, terminal: Terminal) -> None:
        run_id = request_run(api.rig.stack.runtime, RunRequest())
        said = terminal.types("sync", "all")
        assert said.status == 1
        assert f"not done: run {run_id} is under way" in said.err
        assert f"safetyamp-sync cancel {run_id}" in said.words

    def test_an_entity_is_paused_and_resumed(self, api: Api, terminal: Terminal) -> None:
        said = terminal.types("pause", "jobs", "--reason", "year end", "--who", "Jo")
        assert (said.status, ", by Jo: year end" in said.out) == (0, True)
        assert read_pauses(api.rig.documents)["jobs"].who == "Jo"
        assert "safetyamp-sync resume jobs ends that" in terminal.types("sync", "jobs", "--record", "1").words
        terminal.types("pause")
        assert len(read_pauses(api.rig.documents)) == 5
        assert terminal.types("resume", "jobs").status == 0
        assert "jobs" not in read_pauses(api.rig.documents)
        assert "Paused: nothing" in terminal.types("resume").out


class TestForMachines:
    @pytest.mark.parametrize(
        ("words", "path"),
        [
            (["status"], "/api/status"),
            (["runs", "--phase", "held"], "/api/runs?phase=held&limit=20"),
            (["failures"], "/api/failures"),
            (["trends", "--days", "2"], "/api/trends?days=2"),
            (["explain", "employees", str(REFUSED)], f"/api/records/employees?key={REFUSED}"),
            (["explain", "titles", "Welder"], "/api/records/titles?key=Welder"),
        ],
    )
    def test_the_answer_is_as_the_app_gives_it(
        self, busy: Api, terminal: Terminal, words: list[str], path: str
    ) -> None:
        said = terminal.types(*words, "--json")
        expected = busy.call("GET", path).json if "status" not in words else said.json
        assert said.json == expected
        assert said.status == terminal.types(*words).status
        assert said.err == ""

    def test_a_problem_is_its_document(self, busy: Api, terminal: Terminal) -> None:
        said = terminal.types("explain", "employees", "9999", "--json")
        assert (said.status, said.err, said.json["status"]) == (1, "", 404)
        assert "neither Vista nor SafetyAmp" in said.json["detail"]


class TestProcess:
    @pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
    def test_writes_what_its_terminal_can_show(self, api: Api, tmp_path: Path, encoding: str) -> None:
        change(api, LastName="Žižka → 李")
        with served_rig(api) as url:
            settings = {URL_SETTING: url, KEY_SETTING: KEY, "PYTHONIOENCODING": encoding}
            words = ("explain", "employees", str(PERSON))
            shown = run_command(settings, tmp_path, *words)
            told = run_command(settings, tmp_path, *words, "--json")
        assert (shown.returncode, shown.stderr, told.returncode) == (0, b"", 0)
        name = json.loads(told.stdout.decode(encoding))["mapped"]["fields"]["last_name"]
        assert name == "Žižka → 李"
        assert "Žižka".encode(encoding, "replace") in shown.stdout


def run_command(settings: dict[str, str], folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    """`safetyamp-sync WORDS` in a process of its own."""
    command = [sys.executable, "-m", "local", *words]
    return subprocess.run(
        command, cwd=folder, env=environment(settings), capture_output=True, timeout=60, check=False
    )


class TestHostileNames:
    NAME = "[bold]x[/bold] :smile: \x1b[2J\x1b]0;owned\x07 \u202egnp"

    def test_are_shown_inert(self, api: Api, terminal: Terminal) -> None:
        change(api, LastName=self.NAME)
        for words in (
            ["explain", "employees", str(PERSON)],
            ["search", "owned"],
            ["sync", "employees", "--record", str(PERSON)],
        ):
            said = terminal.types(*words)
            assert said.status == 0
            assert "[bold]x[/bold] :smile:" in said.words
            assert not any(char in said.out for char in "\x1b\x07\u202e")
        assert "\x1b" not in terminal.types("explain", "employees", str(PERSON)).out

    def test_of_pauses_and_keys_too(self, api: Api, terminal: Terminal) -> None:
        assert "[red]" in terminal.types("pause", "jobs", "--reason", "[red]", "--who", "[/]").out
        key = "[link=x]'; rm -rf\u202e"
        said = terminal.types("explain", "titles", key)
        assert (said.status, "\u202e" in said.err) == (1, False)

    def test_of_a_run_too(self, busy: Api, terminal: Terminal) -> None:
        assert HOSTILE in terminal.types("explain", "employees", str(REFUSED)).words


@pytest.mark.parametrize("columns", [34, 44, 70])
def test_a_narrow_terminal_loses_nothing_that_matters(busy: Api, terminal: Terminal, columns: int) -> None:
    terminal.narrow(columns)
    for words in (["status"], ["runs"], ["failures"], ["explain", "employees", str(REFUSED)]):
        said = terminal.types(*words)
        too_long = [line for line in said.out.splitlines() if len(line.rstrip()) > columns]
        # Commands are there to be copied: the terminal may break them, we do not.
        assert all(line.startswith("  safetyamp-sync ") for line in too_long), too_long
    runs = terminal.types("runs").out
    listed = [run["run_id"] for run in busy.get("/api/runs")["runs"]]
    assert all(f"{run_id} " in runs for run_id in listed), "a run's id is there to be copied"
    assert "running" in runs
    assert str(INVALID) in terminal.types("failures").out
