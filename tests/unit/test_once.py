"""What `once` does about a run that an earlier process left unfinished."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from local.host import once
from shared.sync.documents.rules import DEFAULT
from shared.sync.documents.runs import RunRequest

UNFINISHED, NEW = "20260105-120000-aaaaaa", "20260105-130000-bbbbbb"


@pytest.fixture
def phases(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """How each run ends."""
    ends = {UNFINISHED: "done", NEW: "done"}

    def to_the_end(_stack: Any, run_id: str, _display: Any) -> dict[str, Any]:
        phase = ends[run_id]
        return {"run_id": run_id, "phase": phase, "entities": {"titles": {"phase": phase, "held": False}}}

    monkeypatch.setattr(once, "sweep", lambda *_, **__: UNFINISHED)
    monkeypatch.setattr(once, "rules_in_force", lambda *_: DEFAULT)
    begun_under(monkeypatch, DEFAULT)
    monkeypatch.setattr(once, "request_run", lambda *_: NEW)
    monkeypatch.setattr(once, "_to_the_end", to_the_end)
    return ends


def begun_under(monkeypatch: pytest.MonkeyPatch, rules: str) -> None:
    """The rules that the interrupted run keeps."""
    monkeypatch.setattr(once, "get_run", lambda *_: SimpleNamespace(request=RunRequest(rules=rules)))


def finished() -> once.Finished:
    stack: Any = SimpleNamespace(
        runtime=SimpleNamespace(documents=None), reach_service_bus=lambda: None, close=lambda: None
    )
    display: Any = None
    return once.run_once(stack, RunRequest(), display)


@pytest.mark.usefixtures("phases")
def test_a_run_that_was_interrupted_and_ends_well_is_all_that_was_asked_for() -> None:
    assert (finished().report["run_id"], finished().resumed) == (UNFINISHED, True)


def test_an_interrupted_run_in_which_an_entity_had_failed_is_not_the_answer(phases: dict[str, str]) -> None:
    """It tells the error of back then, once more, to somebody who has mended the setting since."""
    phases[UNFINISHED] = "failed"
    assert (finished().report["run_id"], finished().resumed) == (NEW, False)


@pytest.mark.usefixtures("phases")
def test_an_interrupted_run_under_other_rules_is_not_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a preview, to somebody who asks for a plan."""
    begun_under(monkeypatch, "a" * 64)
    assert (finished().report["run_id"], finished().resumed) == (NEW, False)
