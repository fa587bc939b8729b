"""Which rules are in force: versions that are written once, a list of who pushed them, and a run that keeps
those that it began with."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from shared.errors import ConfigurationError, RulesConflict, UnknownRules, UnreadableDocument
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.decisions.record import Author
from shared.sync.decisions.rules import push, roll_back
from shared.sync.documents import rules as stored
from shared.sync.documents.rules import DEFAULT, PushedRules, add_pushed, read_pushed
from shared.sync.documents.runs import Run, RunRequest, get_run
from shared.sync.planning.rules_in_force import rules_in_force, rules_text
from shared.sync.runs.requests import request_run
from tests.unit.engine_rig import EngineRig

FIRST = 'version = 1\n[employees.people]\nlast_day = "worked"\n'
SECOND = "version = 1\n[employees.people]\nhire_lead_days = 3\n"
EXPECTING = """version = 1
[[expect]]
entity = "employees"
name = "a crane operator"
given = { FirstName = "Pat" }
then = { first_name = "Pat" }
"""
JO = Author("stated", "Jo Canary")


@pytest.fixture
def rig() -> EngineRig:
    return EngineRig()


def pushed(rig: EngineRig, text: str = FIRST, **how: Any) -> int:
    """Push the text; the number that it has then."""
    version = push(rig.services, text, JO, "as HR wants it", **how).version
    assert version is not None
    return version.number


def a_run(rig: EngineRig, **request: Any) -> Run:
    return get_run(rig.documents, request_run(rig.services, RunRequest(**request)))


def test_the_default_file_is_in_force_before_anybody_pushes(rig: EngineRig) -> None:
    assert (rules_in_force(rig.services), rules_text(rig.services, None)) == (DEFAULT, None)


def test_what_is_pushed_last_is_in_force_and_what_was_before_is_kept(rig: EngineRig) -> None:
    assert [pushed(rig, FIRST), pushed(rig, SECOND)] == [1, 2]
    assert rules_text(rig.services, None) == SECOND
    first, second = read_pushed(rig.documents)
    assert [rules_text(rig.services, run_under(one.digest)) for one in (first, second)] == [FIRST, SECOND]
    assert (first.who, first.known, first.reason) == ("Jo Canary", "stated", "as HR wants it")


def run_under(digest: str | None) -> Run:
    return Run("20260302-120000-0a1b2c", RunRequest(rules=digest), "2026-03-02T12:00:00+00:00", {})


def test_a_run_keeps_the_rules_that_it_began_with(rig: EngineRig) -> None:
    pushed(rig, FIRST)
    run = a_run(rig)
    then = push(rig.services, SECOND, JO, None)
    assert rules_text(rig.services, get_run(rig.documents, run.run_id)) == FIRST
    assert (rules_text(rig.services, None), then.run_id) == (SECOND, run.run_id)


def test_a_run_that_began_under_the_default_file_keeps_that(rig: EngineRig) -> None:
    run = a_run(rig)
    pushed(rig)
    assert (run.request.rules, rules_text(rig.services, get_run(rig.documents, run.run_id))) == (
        DEFAULT,
        None,
    )


def test_a_run_of_release_0_1_0_takes_what_is_in_force(rig: EngineRig) -> None:
    pushed(rig)
    assert rules_text(rig.services, run_under(None)) == FIRST


class TestAVersionThatCannotBeRead:
    def test_is_named_with_what_to_do(self, rig: EngineRig) -> None:
        run = run_under(digest := stored.digest_of_text(FIRST))
        with pytest.raises(
            UnreadableDocument, match=rf"rules/versions/{digest}\.toml .*gone.*rules push FILE"
        ):
            rules_text(rig.services, run)

    def test_is_not_taken_for_another(self, rig: EngineRig) -> None:
        pushed(rig)
        path = paths.rules_version(stored.digest_of_text(FIRST))
        rig.documents.write(path, SECOND.encode())
        with pytest.raises(UnreadableDocument, match="not what was pushed"):
            rules_text(rig.services, run_under(stored.digest_of_text(FIRST)))

    @pytest.mark.parametrize("digest", ["7", "../../state/employees", "A" * 64, ""])
    def test_is_what_a_newer_release_calls_otherwise(self, rig: EngineRig, digest: str) -> None:
        with pytest.raises(UnreadableDocument, match="does not know"):
            rules_text(rig.services, run_under(digest))

    def test_is_there_again_when_it_is_pushed_again(self, rig: EngineRig) -> None:
        pushed(rig)
        rig.documents.delete(paths.rules_version(stored.digest_of_text(FIRST)))
        then = push(rig.services, FIRST, JO, None)
        assert (then.changed, rules_text(rig.services, None)) == (False, FIRST)

    def test_is_read_once_by_a_process(self, rig: EngineRig) -> None:
        pushed(rig)
        assert rules_text(rig.services, None) == FIRST
        rig.documents.delete(paths.rules_version(stored.digest_of_text(FIRST)))
        assert rules_text(rig.services, None) == FIRST


class TestTheList:
    def test_takes_one_of_two_pushes_at_once(self, rig: EngineRig) -> None:
        pushed(rig)
        last = read_pushed(rig.documents)[-1]
        mine, theirs = (replace(last, number=2, decision=one, who=one) for one in ("mine", "theirs"))
        add_pushed(rig.documents, theirs)
        with pytest.raises(RulesConflict, match="version 2 was put in force by theirs"):
            add_pushed(rig.documents, mine)
        assert read_pushed(rig.documents) == [last, theirs]

    def test_knows_its_own_push_whose_confirmation_got_lost(self, rig: EngineRig) -> None:
        pushed(rig)
        version = replace(read_pushed(rig.documents)[-1], number=2, decision="mine")
        add_pushed(rig.documents, version)
        add_pushed(rig.documents, version)
        assert [one.number for one in read_pushed(rig.documents)] == [1, 2]

    def test_keeps_what_a_newer_release_notes_beside(self, rig: EngineRig) -> None:
        version = asdict(PushedRules(1, "a" * 64, "2026-03-02T12:00:00+00:00", "d", "key"))
        newer: dict[str, Any] = {"version": 2, "pushed": [{**version, "signed": "x"}], "sealed": True}
        rig.documents.create(paths.RULES, json.dumps(newer).encode())
        pushed(rig)
        after = read_json(rig.documents, paths.RULES)
        assert (after["sealed"], after["pushed"][0]) == (True, newer["pushed"][0])
        assert [one.number for one in read_pushed(rig.documents)] == [1, 2]

    @pytest.mark.parametrize("damage", [b"", b"{", b'{"pushed": 1}', b"null"], ids=repr)
    def test_that_cannot_be_read_lets_nothing_begin_until_somebody_pushes(
        self, rig: EngineRig, damage: bytes
    ) -> None:
        pushed(rig)
        rig.documents.write(paths.RULES, damage)
        with pytest.raises(UnreadableDocument, match=r"which rules are in force.*push the file"):
            request_run(rig.services, RunRequest())
        assert list(rig.documents.list("runs/")) == []
        assert pushed(rig, SECOND) == 1
        assert a_run(rig).request.rules == stored.digest_of_text(SECOND)


class TestPushing:
    def test_what_is_in_force_already_decides_nothing(self, rig: EngineRig) -> None:
        pushed(rig)
        assert push(rig.services, FIRST, JO, None).changed is False
        assert len(read_pushed(rig.documents)) == 1 == len(decisions(rig))

    def test_is_a_decision_before_it_is_done(self, rig: EngineRig, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: Any) -> None:
            (decision,) = decisions(rig)
            assert (decision["action"], decision["given"]) == ("rules", {"push": "1"})
            raise RulesConflict("not now")

        monkeypatch.setattr("shared.sync.decisions.rules.add_pushed", refuse)
        with pytest.raises(RulesConflict, match="not now"):
            pushed(rig)
        assert read_pushed(rig.documents) == []

    def test_wrong_rules_names_what_is_wrong_and_decides_nothing(self, rig: EngineRig) -> None:
        with pytest.raises(ConfigurationError, match="last_day"):
            pushed(rig, 'version = 1\n[employees.people]\nlast_day = "never"\n')
        assert (decisions(rig), list(rig.documents.list("rules/"))) == ([], [])

    def test_rules_whose_expectations_fail_names_them_and_decides_nothing(self, rig: EngineRig) -> None:
        wrong = EXPECTING.replace('first_name = "Pat"', 'first_name = "Sam"')
        with pytest.raises(ConfigurationError, match=r"employees, a crane operator: .*first_name"):
            pushed(rig, wrong)
        assert (decisions(rig), list(rig.documents.list("rules/"))) == ([], [])
        assert pushed(rig, EXPECTING) == 1

    def test_over_a_version_that_it_was_not_made_from_is_refused(self, rig: EngineRig) -> None:
        pushed(rig)
        with pytest.raises(RulesConflict, match="version 1 is in force, not 0"):
            pushed(rig, SECOND, after=0)
        assert pushed(rig, SECOND, after=1) == 2

    def test_two_at_once_ends_in_one(self, rig: EngineRig, monkeypatch: pytest.MonkeyPatch) -> None:
        """The other one is done between the reading of the list and its writing."""
        put_away = stored.store_rules

        def store(documents: Any, text: str) -> str:
            monkeypatch.setattr("shared.sync.decisions.rules.store_rules", put_away)
            pushed(rig, SECOND)
            return put_away(documents, text)

        monkeypatch.setattr("shared.sync.decisions.rules.store_rules", store)
        with pytest.raises(
            RulesConflict, match=r"version 1 was put in force by Jo Canary .* nothing was changed"
        ):
            pushed(rig, FIRST)
        assert rules_text(rig.services, None) == SECOND
        assert len(read_pushed(rig.documents)) == 1


class TestGoingBack:
    def test_puts_a_former_version_in_force_as_a_new_one(self, rig: EngineRig) -> None:
        pushed(rig, FIRST)
        pushed(rig, SECOND)
        version = roll_back(rig.services, 1, JO, "HR was wrong").version
        assert version is not None
        assert (version.number, version.back_to, version.reason) == (3, 1, "HR was wrong")
        assert rules_text(rig.services, None) == FIRST

    def test_to_nought_is_to_the_default_file(self, rig: EngineRig) -> None:
        pushed(rig)
        roll_back(rig.services, 0, JO, None)
        assert rules_in_force(rig.services) == DEFAULT
        assert pushed(rig, SECOND) == 3

    def test_to_what_is_in_force_decides_nothing(self, rig: EngineRig) -> None:
        assert roll_back(rig.services, 0, JO, None).changed is False
        assert decisions(rig) == []

    def test_to_what_was_never_there_says_what_there_is(self, rig: EngineRig) -> None:
        pushed(rig)
        with pytest.raises(UnknownRules, match="there are 1 to 1, and 0, the default file"):
            roll_back(rig.services, 7, JO, None)

    def test_to_a_version_that_is_gone_is_refused(self, rig: EngineRig) -> None:
        pushed(rig, FIRST)
        pushed(rig, SECOND)
        rig.documents.delete(paths.rules_version(stored.digest_of_text(FIRST)))
        with pytest.raises(UnreadableDocument, match="gone"):
            roll_back(rig.services, 1, JO, None)
        assert rules_text(rig.services, None) == SECOND


class TestAFile:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        file = tmp_path / "rules.toml"
        file.write_text(FIRST, encoding="utf-8")
        return file

    def test_is_used_in_place_of_what_was_pushed(self, file: Path) -> None:
        rig = EngineRig(RULES_FILE=str(file))
        assert rules_text(rig.services, a_run(rig)) == FIRST == rules_text(rig.services, None)

    def test_that_changes_does_not_change_a_run_under_way(self, file: Path) -> None:
        rig = EngineRig(RULES_FILE=str(file))
        run = a_run(rig)
        file.write_text(SECOND)
        assert (rules_text(rig.services, run), rules_text(rig.services, None)) == (FIRST, SECOND)

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (None, "cannot be read"),
            (b"\xff\xfe", "UTF-8"),
            (b"version = ", "RULES_FILE"),
            (b'version = 1\n[employees.people]\nlast_day = "never"\n', "last_day"),
            (
                EXPECTING.replace('then = { first_name = "Pat', 'then = { first_name = "Sam').encode(),
                "expect",
            ),
        ],
        ids=["gone", "other letters", "no TOML", "wrong", "not as expected"],
    )
    def test_that_is_wrong_lets_nothing_begin(self, file: Path, content: bytes | None, why: str) -> None:
        if content is None:
            file.unlink()
        else:
            file.write_bytes(content)
        rig = EngineRig(RULES_FILE=str(file))
        with pytest.raises(ConfigurationError, match=why) as found:
            request_run(rig.services, RunRequest())
        assert found.value.problems[0].setting in ("RULES_FILE", "[[expect]]")
        assert list(rig.documents.list("")) == []

    @pytest.mark.parametrize("way", ["push", "go back"])
    def test_is_not_replaced_by_a_push(self, file: Path, way: str) -> None:
        rig = EngineRig(RULES_FILE=str(file))
        with pytest.raises(RulesConflict, match="unset RULES_FILE"):
            pushed(rig) if way == "push" else roll_back(rig.services, 0, JO, None)
        assert list(rig.documents.list("")) == []


def decisions(rig: EngineRig) -> list[dict[str, Any]]:
    found = [path for path in rig.documents.list(paths.DECISIONS) if not path.endswith(".ending.json")]
    return [read_json(rig.documents, path) for path in found]
