"""The rules from the command line: `rules text`, `preview`, `push`, `history`, `diff` and `rollback`."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.http_rig import Api, api_for
from tests.e2e.remote_rig import KEY, Terminal, served_rig, terminal
from tests.e2e.small_company import PEOPLE
from tests.e2e.test_rules_versions import CALLED_BY_LAST_NAME, DEPARTMENT_10, LAST_NAME, NOBODY, PERSON

__all__ = ["terminal"]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    api = api_for(tmp_path)
    api.rig.run()
    yield api
    api.rig.close()


@pytest.fixture
def typing(api: Api, terminal: Terminal) -> Iterator[Terminal]:
    """A terminal for the running app, in a folder with a file of rules."""
    Path("rules.toml").write_text(CALLED_BY_LAST_NAME, encoding="utf-8")
    with served_rig(api) as url:
        yield terminal.at(url, KEY)


def test_what_is_in_force_becomes_a_file_that_is_changed_and_pushed(typing: Terminal) -> None:
    said = typing.types("rules", "text")
    assert (said.status, said.out.startswith("# The mapping")) == (0, True)
    said = typing.types("rules", "push", "rules.toml", "--reason", "as HR wants it", "--who", "Jo")
    assert (said.status, "version 1 is in force for runs that begin from now on" in said.words) == (0, True)
    assert typing.types("rules", "text").out == CALLED_BY_LAST_NAME
    assert "was in force before: nothing was changed" in typing.types("rules", "push", "rules.toml").words


def test_a_push_names_the_run_that_goes_on_under_former_rules(api: Api, typing: Terminal) -> None:
    run_id = api.post("/api/sync/all", 202)["run_id"]
    said = typing.types("rules", "push", "rules.toml")
    assert f"run {run_id} is under way, and keeps the rules that it began with" in said.words


def test_history_differences_and_the_way_back(typing: Terminal) -> None:
    typing.types("rules", "push", "rules.toml", "--reason", "as HR wants it", "--who", "Jo")
    Path("rules.toml").write_text(DEPARTMENT_10, encoding="utf-8")
    typing.types("rules", "push", "rules.toml", "--after", "1", "--who", "Jo")
    said = typing.types("rules", "diff", "0", "1")
    assert "employees.fields.first_name.from: FirstName → LastName" in said.words
    assert '"Department 10"' in typing.types("rules", "diff", "1").words
    said = typing.types("rules", "rollback", "1", "--reason", "not yet")
    assert (said.status, "version 3 is in force" in said.words) == (0, True)
    lines = typing.types("rules", "history").out.splitlines()
    assert [line.split()[0] for line in lines if line[:4].strip()] == ["3", "2", "1", "0"]
    assert "version 1 again (in force)" in lines[0]
    assert "because: not yet" in lines[1]
    assert typing.types("rules", "text", "2").out == DEPARTMENT_10


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("push", "nowhere.toml"), 2, "nowhere.toml cannot be read"),
        (("push", "rules.toml", "--after", "7"), 1, "version 0 is in force, not 7"),
        (("rollback", "7"), 1, "there is no version 7 of the rules"),
        (("diff", "7"), 1, "rules history lists the versions"),
        (("rollback", "-1"), 2, "must be a whole number from 0"),
        (("push",), 2, "FILE"),
        ((), 2, "rules --help"),
    ],
    ids=lambda found: " ".join(found) or "nothing" if isinstance(found, tuple) else "",
)
def test_what_cannot_be_is_refused_with_a_sentence(
    typing: Terminal, words: tuple[str, ...], status: int, told: str
) -> None:
    said = typing.types("rules", *words)
    assert (said.status, told in said.words) == (status, True), said


def test_rules_that_are_wrong_are_told_and_not_pushed(typing: Terminal) -> None:
    Path("rules.toml").write_text('version = 1\n[employees.people]\nlast_day = "never"\n', encoding="utf-8")
    for command in ("push", "preview"):
        said = typing.types("rules", command, "rules.toml")
        assert (said.status, "last_day" in said.words) == (1, True)


def test_a_file_of_five_megabytes_is_refused_before_it_is_sent(typing: Terminal) -> None:
    Path("rules.toml").write_text("#" * 5_000_000, encoding="utf-8")
    for command in ("push", "preview"):
        said = typing.types("rules", command, "rules.toml")
        assert (said.status, "256 at most" in said.words) == (2, True)


def test_a_preview_waits_for_its_run_and_shows_what_would_change(api: Api, typing: Terminal) -> None:
    class Waiting:
        def sleep(self, _seconds: float) -> None:
            api.rig.drain()

    typing.monkeypatch.setattr("cli.remote.preview.SystemClock", Waiting)
    said = typing.types("rules", "preview", "rules.toml", "--csv", "preview.csv")
    assert said.status == 0
    assert f"~ {PEOPLE} change" in said.words
    assert f"first_name {PEOPLE}, such as {PERSON}: Pat → {LAST_NAME}" in said.words
    file = Path("preview.csv")
    rows = list(csv.DictReader(file.open(encoding="utf-8-sig", newline="")))
    assert (len(rows), file.stat().st_mode & 0o777) == (PEOPLE, 0o600)
    Path("rules.toml").write_text(NOBODY, encoding="utf-8")
    said = typing.types("rules", "preview", "rules.toml")
    assert f"0 of {PEOPLE} are in scope" in said.words
    assert f"{PEOPLE} would leave ({PEOPLE} of them are in SafetyAmp)" in said.words
