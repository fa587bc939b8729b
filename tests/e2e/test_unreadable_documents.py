"""What operators ask while one document cannot be read: they are answered, and told which."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shared.notices.episodes import NOTICES
from shared.storage.documents import create_json
from shared.sync import paths
from shared.sync.documents.active import active_run_id
from shared.sync.documents.runs import RunRequest
from shared.sync.runs.requests import request_run
from shared.sync.runs.totals import TOTALS
from tests.e2e.http_rig import Api, api_for

if TYPE_CHECKING:
    from tests.e2e.doctor_rig import DoctorRig

pytest_plugins = ("tests.e2e.doctor_rig",)

LETTER = "dead-letters/change-batches/m-1.json"
UNREADABLE = b'{"version":1,'
SOMEBODY = 1003

DOCUMENTS: dict[str, Callable[[str], str]] = {
    "run": paths.run,
    "plan": lambda run_id: paths.plan(run_id, "employees"),
    "batch": lambda run_id: batch_path(run_id),
    "progress": lambda run_id: paths.progress(run_id, "employees", 1),
    "outcome": lambda run_id: paths.outcome(run_id, "employees", 1),
    "report": paths.report,
    "state": lambda _: paths.state("employees"),
    "state of jobs": lambda _: paths.state("jobs"),
    "active": lambda _: paths.ACTIVE,
    "totals": lambda _: TOTALS,
    "control": lambda _: paths.CONTROL,
    "notices": lambda _: NOTICES,
    "lookup": lambda _: paths.lookup("roles"),
    "dead letter": lambda _: LETTER,
}
api: Api


def batch_path(run_id: str) -> str:
    return next(api.rig.documents.list(f"runs/{run_id}/employees/batches/"))


@pytest.fixture(autouse=True)
def _app(tmp_path: Path) -> Iterator[None]:
    """After a first load; one person has got another name since."""
    global api
    api = api_for(tmp_path)
    api.rig.run()
    api.rig.person(SOMEBODY)["LastName"] = "Changed"
    api.rig.publish()
    letter = {"message_id": "m-1", "reason": "r", "delivery_count": 10, "at": "2026-03-02T12:00:00+00:00"}
    create_json(api.rig.documents, LETTER, {**letter, "body": "{}"})
    yield
    api.rig.close()


def ask_everything(run_id: str) -> str:
    """All that operators ask; each answer is as it is described, and none is an error but those of the run
    itself. Returns what was said."""
    asked = (
        *("/api/status", "/api/runs", "/api/failures", "/api/dead-letters", "/metrics"),
        *(f"/api/records/employees/{SOMEBODY}", "/ready"),
        *(f"/api/runs/{run_id}", f"/api/runs/{run_id}/changes", f"/api/runs/{run_id}/report", "/api/control"),
    )
    said = [str(api.post("/api/search", body={"entity": "employees", "text": "Changed"}))]
    for path in asked:
        answer = api.call("GET", path)
        said.append(answer.text)
        about_one = path.startswith(f"/api/runs/{run_id}") or path == "/api/control"
        assert answer.status_code == 200 or (about_one and "cannot be read" in answer.text), (
            path,
            answer.text,
        )
    return "\n".join(said)


@pytest.mark.parametrize("path_of", DOCUMENTS.values(), ids=DOCUMENTS.keys())
@pytest.mark.parametrize("under_way", [True, False], ids=["under way", "ended"])
def test_they_are_answered(path_of: Callable[[str], str], under_way: bool) -> None:
    rig = api.rig
    run_id = request_run(rig.stack.runtime, RunRequest())
    if under_way:
        rig.until(
            lambda: any("/batches/" in path for path in rig.documents.list(f"runs/{run_id}/employees/"))
        )
    else:
        rig.until(lambda: active_run_id(rig.documents) != run_id)
    path = path_of(run_id)
    rig.documents.write(path, UNREADABLE)
    said = ask_everything(run_id)
    # Of a report, a state, figures and the like nothing is missing: they are made anew from the rest.
    if path in (paths.run(run_id), paths.CONTROL, LETTER, paths.plan(run_id, "employees")):
        assert path in said


def test_changes_name_the_batch_that_cannot_be_read() -> None:
    run_id = api.rig.run().run_id
    path = batch_path(run_id)
    api.rig.documents.write(path, UNREADABLE)
    answer = api.get(f"/api/runs/{run_id}/changes")
    assert [path in problem for problem in answer["problems"]] == [True]
    assert {change["entity"] for change in answer["changes"]} <= {"departments", "jobs", "titles", "vehicles"}
    notes = api.explain("employees", SOMEBODY)["notes"]
    assert any(path in note for note in notes)


@pytest.mark.parametrize("path_of", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_the_doctor_names_the_document(rig: DoctorRig, path_of: Callable[[str], str]) -> None:
    global api
    first, api = api, Api(rig)
    try:
        run_id = rig.run().run_id
        path = path_of(run_id)
        rig.documents.write(path, UNREADABLE)
        finding = rig.look()["documents.content"]
        if path != LETTER:
            assert path in finding.seen
            assert finding.advice
            assert finding.status == ("failed" if path == paths.CONTROL else "warning")
        rig.documents.delete(path)
    finally:
        api = first


def test_the_doctor_has_nothing_to_say_of_documents_in_order(rig: DoctorRig) -> None:
    rig.run()
    finding = rig.look()["documents.content"]
    assert (finding.status, finding.advice) == ("ok", "")
