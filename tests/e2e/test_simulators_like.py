"""The simulators imitate a recording: first contact sees of them what it saw of the systems recorded."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.like import IMITATED, told_of
from cli.main import main
from local.company.demo import demo_company
from local.probe.probe import Probed
from local.probe.recording import FORMAT, LARGEST, Recording
from tests.e2e.rig import START
from tests.e2e.test_probe import ProbeRig

COMPANY = demo_company(START.date(), employees=160)
Recorded = dict[str, Any]
Altering = Callable[[Recorded], None]


@contextmanager
def rig_like(folder: Path, like: Recorded | None = None) -> Iterator[ProbeRig]:
    recording = None if like is None else Recording.model_validate(like)
    folder.mkdir(exist_ok=True)
    rig = ProbeRig(folder, copy.deepcopy(COMPANY), limit=6000, like=recording)
    try:
        yield rig
    finally:
        rig.close()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Probed:
    """Of a tenant after its first load."""
    with rig_like(tmp_path_factory.mktemp("loaded")) as rig:
        rig.run()
        return rig.probed()


@pytest.fixture
def recorded(loaded: Probed) -> Recorded:
    """A recording to alter, as a file holds it."""
    value: Recorded = json.loads(json.dumps(loaded.recording))
    return value


def verdicts(probed: Probed) -> dict[str, str]:
    return {one.name: one.verdict for one in probed.assumptions}


def test_a_second_probe_sees_of_the_imitation_what_the_first_one_saw(
    loaded: Probed, recorded: Recorded, tmp_path: Path
) -> None:
    with rig_like(tmp_path, recorded) as rig:
        assert verdicts(rig.probed()) == verdicts(loaded) == recorded["verdicts"]


def test_a_tenant_that_is_nearly_empty_is_imitated_too(tmp_path: Path) -> None:
    with rig_like(tmp_path / "first") as rig:
        first = rig.probed()
    with rig_like(tmp_path / "second", first.recording) as rig:
        assert verdicts(rig.probed()) == verdicts(first)


def pages_of_100(like: Recorded) -> None:
    like["safetyamp"]["page_sizes"]["100"] = 100


def pages_of_10(like: Recorded) -> None:
    like["safetyamp"]["page_sizes"] = {"25": 10, "100": 10}
    like["safetyamp"]["users"] |= {"seen": 20, "with_emp_id": 18, "numbers": 18, "employees": 18, "twice": 0}


def pages_of_50_whatever_is_asked_for(like: Recorded) -> None:
    like["safetyamp"]["page_sizes"] = {"25": 50, "100": 50}
    like["safetyamp"]["users"] |= {"seen": 100, "with_emp_id": 95, "numbers": 95, "employees": 95}


def the_first_page_twice(like: Recorded) -> None:
    like["safetyamp"]["same_pages"] = True


def numeric_ids(like: Recorded) -> None:
    like["safetyamp"]["ids"]["users"] = {"number": 50}


def letters_as_ids_of_titles(like: Recorded) -> None:
    like["safetyamp"]["ids"]["user_titles"] = {"8 letters and digits": 25}


def no_user_by_id(like: Recorded) -> None:
    like["safetyamp"] |= {"by_id": 405, "by_id_fields": []}


def fewer_fields_by_id(like: Recorded) -> None:
    like["safetyamp"]["by_id_fields"].remove("roles")


def no_rate_headers(like: Recorded) -> None:
    like["safetyamp"] |= {"headers": ["content-type"], "limit": None}


def other_rate_headers(like: Recorded) -> None:
    like["safetyamp"]["headers"] = ["content-type", "ratelimit-limit"]


def access_as_a_number(like: Recorded) -> None:
    like["safetyamp"]["resources"]["users"]["system_access"] = {"int": 100}


def one_in_five_without_emp_id(like: Recorded) -> None:
    like["safetyamp"]["users"]["with_emp_id"] = like["safetyamp"]["users"]["seen"] * 4 // 5


def letters_in_emp_ids(like: Recorded) -> None:
    like["safetyamp"]["users"]["no_number"] = like["safetyamp"]["users"]["seen"] // 4


def numbers_at_two_users(like: Recorded) -> None:
    like["safetyamp"]["users"]["twice"] = like["safetyamp"]["users"]["seen"] // 6


def numbers_of_another_company(like: Recorded) -> None:
    like["safetyamp"]["users"]["employees"] = 3


def codes_in_the_other_field(like: Recorded) -> None:
    fields = like["safetyamp"]["resources"]["sites"]
    fields["external_code"], fields["ext_id"] = fields["ext_id"], {"NoneType": 25}


def assets_that_cannot_be_listed(like: Recorded) -> None:
    like["safetyamp"]["refused"]["assets"] = 403


def few_in_graph(like: Recorded) -> None:
    like["graph"]["employee_ids"]["active_there"] = 10


def nobody_in_graph(like: Recorded) -> None:
    like["graph"]["employee_ids"] |= {"active_there": 0, "numbers": 0, "filled": 40}


def accounts_without_mail(like: Recorded) -> None:
    like["graph"]["employee_ids"]["with_mail"] = 5


def drivers_with_another_external_id(like: Recorded) -> None:
    like["samsara"]["drivers"]["external_ids"] = {"employeeNumber": 20}


def vehicles_with_letters_as_ids(like: Recorded) -> None:
    like["samsara"]["vehicles"]["ids"] = {"16 letters and digits": 60}


def vehicles_without_serial(like: Recorded) -> None:
    for name in ("serial", "gateway"):
        del like["samsara"]["vehicles"]["fields"][name]


NOBODY = {
    **{"graph.employeeId": "contradicted", "graph.coverage": "contradicted"},
    **{"graph.mail": "unknown", "graph.one-account": "unknown"},
}

ALTERED: dict[str, tuple[Altering, dict[str, str]]] = {
    one.__name__: (one, differs)
    for one, differs in (
        (pages_of_100, {}),
        (pages_of_10, {"safetyamp.page-size": "unknown"}),
        (pages_of_50_whatever_is_asked_for, {"safetyamp.page-size": "contradicted"}),
        (the_first_page_twice, {"safetyamp.pages": "contradicted"}),
        (numeric_ids, {"safetyamp.users.id": "contradicted"}),
        (letters_as_ids_of_titles, {"safetyamp.user_titles.id": "contradicted"}),
        (no_user_by_id, {"safetyamp.by-id": "contradicted"}),
        (fewer_fields_by_id, {"safetyamp.by-id": "contradicted"}),
        (no_rate_headers, {"safetyamp.limit": "unknown"}),
        (other_rate_headers, {}),
        (access_as_a_number, {"safetyamp.system_access": "contradicted"}),
        (one_in_five_without_emp_id, {}),
        (letters_in_emp_ids, {"safetyamp.emp_id": "contradicted"}),
        (numbers_at_two_users, {"safetyamp.emp_id": "contradicted"}),
        (numbers_of_another_company, {"safetyamp.people": "contradicted"}),
        (codes_in_the_other_field, {"safetyamp.site-code": "contradicted"}),
        (assets_that_cannot_be_listed, {"safetyamp.assets.list": "contradicted"}),
        (few_in_graph, {"graph.coverage": "contradicted"}),
        (nobody_in_graph, NOBODY),
        (accounts_without_mail, {"graph.mail": "contradicted"}),
        (drivers_with_another_external_id, {"samsara.payrollId": "contradicted"}),
        (vehicles_with_letters_as_ids, {"samsara.id": "contradicted"}),
        (vehicles_without_serial, {"samsara.serial": "contradicted"}),
    )
}


@pytest.mark.parametrize("name", ALTERED)
def test_what_an_altered_recording_says_is_what_a_probe_sees(
    name: str, recorded: Recorded, tmp_path: Path
) -> None:
    alter, differs = ALTERED[name]
    alter(recorded)
    with rig_like(tmp_path, recorded) as rig:
        found = rig.probed()
    now = verdicts(found)
    before: dict[str, str] = recorded["verdicts"]
    assert {one: now[one] for one in now if now[one] != before.get(one)} == differs
    for part in ("page_sizes", "by_id", "limit", "refused"):
        if part != "limit" or recorded["safetyamp"]["limit"] is None:
            assert found.recording["safetyamp"][part] == recorded["safetyamp"][part], part
    assert "graph" in told_of(Recording.model_validate(recorded)).lower()
    with rig_like(tmp_path / "again", json.loads(json.dumps(found.recording))) as rig:
        assert verdicts(rig.probed()) == now, "what was imitated once is imitated again"


def test_so_many_users_have_an_emp_id_as_was_seen(recorded: Recorded, tmp_path: Path) -> None:
    one_in_five_without_emp_id(recorded)
    with rig_like(tmp_path, recorded) as rig:
        users = rig.probed().recording["safetyamp"]["users"]
    assert users == recorded["safetyamp"]["users"] | {
        "numbers": users["numbers"],
        "employees": users["employees"],
    }


def test_fields_that_were_not_there_are_not_answered_and_new_ones_are_empty(
    recorded: Recorded, tmp_path: Path
) -> None:
    fields = recorded["safetyamp"]["resources"]["users"]
    del fields["work_phone"]
    fields["badge"] = {"str": 100}
    with rig_like(tmp_path, recorded) as rig:
        seen = rig.probed().recording["safetyamp"]["resources"]["users"]
    assert "work_phone" not in seen
    assert seen["badge"].keys() == {"str"}


@pytest.mark.parametrize(
    "alter", [pages_of_100, numeric_ids, no_user_by_id, the_first_page_twice], ids=lambda one: one.__name__
)
def test_a_run_against_the_imitation_brings_everything_there(
    alter: Altering, recorded: Recorded, tmp_path: Path
) -> None:
    alter(recorded)
    with rig_like(tmp_path, recorded) as rig:
        ran = rig.run()
        reasons = [one["reason"] for one in ran.entity("employees")["problems"] if one["kind"] == "refused"]
        assert ran.count("failed") == len(reasons) == ran.entity("employees")["failed"]
        # Users without an emp_id were recorded: what to do about them is said.
        assert all("give that record our key (emp_id)" in reason for reason in reasons)
        employed = {
            str(row["Employee"])
            for row in rig.company.own_employees()
            if not row["TermDate"] and row["HireDate"]
        }
        there = {row["emp_id"] for row in rig.safetyamp.snapshot()["users"]}
        assert len(employed - there) < 10
        assert rig.run().writes == []


def test_what_contradicts_and_is_not_imitated_is_said(recorded: Recorded) -> None:
    recorded["verdicts"] |= {"vista.dates": "contradicted", "safetyamp.pages": "contradicted"}
    said = told_of(Recording.model_validate(recorded))
    assert said.endswith("not imitated, though it was otherwise there: vista.dates")


def test_all_that_is_called_imitated_is_an_assumption(loaded: Probed) -> None:
    asked = {one.name for one in loaded.assumptions}
    assert {name for name in IMITATED if not name.endswith(".list")} <= asked


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is not JSON, or was cut"),
    "cut": (b'{"format": 1, "version": "0.2.0", "made_', "is not JSON, or was cut"),
    "not UTF-8": (b'{"a": "\xff\xfe"}', "is not JSON, or was cut"),
    "deep": (b"[" * 100_000, "is not JSON, or was cut"),
    "foreign": (b'{"openapi": "3.1.0"}', "is no recording of probe"),
    "a list": (b"[]", "is no recording of probe"),
    "newer": (b'{"format": 99, "version": "9.0", "made_at": "x"}', "was written by a newer version ('9.0')"),
    "older": (b'{"version": "0.2.0", "made_at": "x", "safetyamp": {}}', "was written by an older version"),
    "damaged": (
        b'{"format": 1, "version": "0.2.0", "made_at": "x", "verdicts": {}, "safetyamp": {"by_id": "no"}}',
        "(safetyamp.by_id)",
    ),
    "negative": (
        b'{"format": 1, "version": "0.2.0", "made_at": "x", "verdicts": {},'
        b' "safetyamp": {"page_sizes": {"25": -1}}}',
        "(safetyamp.page_sizes.25)",
    ),
    "large": (b" " * (LARGEST + 1), "has more than"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_no_recording_ends_with_one_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    content, reason = BAD[name]
    Path("shapes.json").write_bytes(content)
    assert main(["simulators", "--port", "0", "--like", "shapes.json"]) == 2
    heading, sentence = capsys.readouterr().err.splitlines()
    assert heading == "The settings are wrong:"
    assert sentence.startswith("  --like: 'shapes.json' ")
    assert reason in sentence


def test_a_file_that_is_not_there_ends_with_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulators", "--port", "0", "--like", str(tmp_path / "none.json")]) == 2
    assert "cannot be read (No such file or directory)" in capsys.readouterr().err


def test_a_recording_says_its_format(recorded: Recorded) -> None:
    assert recorded["format"] == FORMAT
