"""Questions, pauses and decisions where no app runs, on the documents that `once` has left."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from local.company.demo import demo_company
from local.host.upstreams import SimulatorServer
from shared.version import PROGRAM
from tests.e2e.app_process import app_settings, local
from tests.e2e.remote_rig import Terminal, answering, terminal

__all__ = ["terminal"]

REFUSED = json.dumps({"errors": {"first_name": ["is no name."]}})
NOBODY = "http://127.0.0.1:1"
RUN = "20260131-120000-0a1b2c"


@dataclass(frozen=True)
class Left:
    """What `once` has left on this machine."""

    settings: dict[str, str]
    documents: Path
    run_id: str
    person: str


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    folder = tmp_path_factory.mktemp("here")
    company = demo_company(date(2026, 3, 2), employees=20)
    with SimulatorServer(company, folder / "simulators", calls=1000, period=1.0) as server:
        server.tenant.safetyamp.fail_next(3, 422, REFUSED, match="POST /api/users")
        settings = app_settings(server.settings(), folder)
        report = json.loads(local(settings, folder, "once", "--json").stdout)
        refused = [p for p in report["entities"]["employees"]["problems"] if p["kind"] == "refused"]
        yield Left(settings, folder / "documents", report["run_id"], refused[0]["key"])


@pytest.fixture
def here(left: Left, terminal: Terminal) -> Terminal:
    """A terminal with the settings of that run, and nobody at the default address."""
    terminal.monkeypatch.setattr("cli.remote.address.DEFAULT_URL", NOBODY)
    for name, value in left.settings.items():
        terminal.monkeypatch.setenv(name, value)
    return terminal


def test_questions_are_answered_from_the_documents_and_it_is_said(here: Terminal, left: Left) -> None:
    for words, told in (
        (["runs"], left.run_id),
        (["runs", left.run_id], "employees"),
        (["changes", left.run_id, "--entity", "employees"], left.person),
        (["explain", "employees", left.person], "refused"),
        (["failures"], left.person),
        (["fix-list"], left.person),
        (["trends", "--days", "2"], "findings"),
    ):
        said = here.types(*words)
        assert told in said.out
        assert said.err == f"no app runs at {NOBODY}: this is from the documents in {left.documents}\n"
        assert said.status in (0, 1)
    found = here.types("search", "a", "--json")
    assert found.json["found"]


def test_a_fix_list_is_written_for_a_spreadsheet_and_for_nobody_else_to_read(here: Terminal) -> None:
    said = here.types("fix-list", "--owner", "hr", "--csv", "hr.csv")
    file = Path("hr.csv")
    rows = list(csv.DictReader(file.open(encoding="utf-8-sig", newline="")))
    assert (said.status, f"{len(rows)} rows are in hr.csv" in said.out) == (0, True)
    assert rows
    assert {row["owner"] for row in rows} == {"hr"}
    assert file.stat().st_mode & 0o777 == 0o600
    assert "HR: " in said.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--owner", "legal"), "hr, payroll, it, fleet, operations, safetyamp"),
        (("--csv", "nowhere/hr.csv"), "is in a folder that does not exist"),
        (("--csv", "."), "--csv cannot be written"),
    ],
)
def test_a_fix_list_of_nobody_or_for_nowhere_is_refused(
    here: Terminal, words: tuple[str, ...], told: str
) -> None:
    said = here.types("fix-list", *words)
    assert (said.status, told.replace("--csv ", "") in said.words) == (2, True)


def test_what_the_handlers_refuse_is_their_sentence(here: Terminal) -> None:
    said = here.types("changes", RUN)
    assert (said.status, "not done: " in said.err) == (1, True)
    assert f"{PROGRAM} runs lists the runs that are kept." in said.words


def test_a_pause_is_kept_until_it_is_ended(here: Terminal, left: Left) -> None:
    assert "new job codes" in here.types("pause", "jobs", "--reason", "new job codes").out
    assert json.loads((left.documents / "control.json").read_text())
    assert "Paused: nothing" in here.types("resume").out


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        (("approve", RUN), f"once --approve {RUN}."),
        (("cancel", RUN), f"once --drop {RUN}."),
        (("retry", "jobs"), "once --refresh --entity jobs."),
        (("sync", "titles"), "once --entity titles."),
        (("sync", "all"), "once."),
        (("sync", "employees", "--record", "1"), None),
        (("status",), None),
    ],
    ids=lambda found: " ".join(found) if isinstance(found, tuple) else "",
)
def test_what_needs_an_app_names_what_does_the_same_without(
    here: Terminal, words: tuple[str, ...], instead: str | None
) -> None:
    said = here.types(*words)
    assert (said.status, f"nothing answers at {NOBODY}" in said.words) == (1, True)
    assert said.words.endswith(f" Without an app: {PROGRAM} {instead}" if instead else ")?")


def test_an_app_that_somebody_named_is_not_replaced(here: Terminal) -> None:
    for said in (here.types("runs", "--url", NOBODY), here.at(NOBODY).types("runs")):
        assert (said.status, said.out) == (1, "")
        assert f"nothing answers at {NOBODY}" in said.err


def test_another_program_at_the_address_is_told_of(here: Terminal) -> None:
    with answering("hello") as url:
        here.monkeypatch.setattr("cli.remote.address.DEFAULT_URL", url)
        assert "is not SafetyAmp Sync" in here.types("runs").words


def test_where_nothing_was_ever_run_no_folder_is_made(here: Terminal, tmp_path: Path) -> None:
    never = tmp_path / "never"
    here.monkeypatch.setenv("LOCAL_FOLDER", str(never))
    assert f"nothing answers at {NOBODY}" in here.types("runs").words
    assert not never.exists()


def test_a_wrong_setting_is_named(here: Terminal) -> None:
    here.monkeypatch.setenv("REDIS_PORT", "many")
    said = here.types("runs")
    assert (said.status, "REDIS_PORT" in said.err) == (2, True)


def test_a_decision_is_kept_with_who_made_it_here(here: Terminal) -> None:
    here.types("pause", "titles", "--reason", "year end", "--who", "Jo")
    here.types("resume", "titles", "--who", "Jo")
    said = here.types("decisions", "--who", "jo")
    assert "Jo (as they say): resume titles" in said.words
    assert "because: year end" in said.words
    dropped = here.types("once", "--drop", RUN, "--reason", "not ours")
    assert dropped.status != 0
    told = here.types("decisions", "--action", "cancel").words
    assert f"(at this machine): cancel {RUN} because: not ours not done:" in told
    assert "Nobody has decided" in here.types("decisions", "--run", "20260131-120000-ffffff").out


def test_rules_are_looked_at_by_a_run_of_this_process_and_pushed_into_the_documents(
    here: Terminal, left: Left
) -> None:
    file = Path("of-hr.toml")
    file.write_text('version = 1\n[employees.fields]\nfirst_name = { from = "LastName" }\n', encoding="utf-8")
    said = here.types("rules", "preview", str(file), "--csv", "preview.csv")
    assert (said.status, "first_name" in said.words) == (0, True), said
    assert "first_name" in Path("preview.csv").read_text(encoding="utf-8-sig")
    said = here.types("rules", "push", str(file), "--reason", "as HR wants it")
    assert (said.status, "version 1 is in force" in said.words) == (0, True)
    assert (left.documents / "rules" / "active.json").is_file()
    assert here.types("rules", "rollback", "0").status == 0


def test_a_rules_toml_in_the_folder_is_in_force_and_nothing_is_pushed_beside_it(here: Terminal) -> None:
    Path("rules.toml").write_text("version = 1\n", encoding="utf-8")
    assert here.types("rules", "text").out == "version = 1\n"
    said = here.types("rules", "push", "rules.toml")
    assert (said.status, "unset RULES_FILE" in said.words) == (1, True)
