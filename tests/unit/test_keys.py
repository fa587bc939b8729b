"""One normal form of keys, and what is said of rows that have none."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shared.queries.changes import ChangeFilter, described
from shared.sync.documents.runs import RunRequest, run_from_json
from shared.sync.entities.keys import by_key, normal_key, title_key
from shared.sync.findings.causes import KEYS
from shared.sync.model import EntityName, Rejected
from tests.unit.operations_rig import change as planned_change


@pytest.mark.parametrize(
    ("entity", "written", "key"),
    [
        ("employees", "001001", "1001"),
        ("employees", " 1001.0 ", "1001"),
        ("employees", "A12", "A12"),
        ("employees", "? (row 3)", "? (row 3)"),
        ("titles", "FOREMAN ", "foreman"),
        ("titles", "Crew  Lead", "crew lead"),
        ("titles", "\u3164", "\u3164"),
        ("departments", " 07 ", "07"),
        ("departments", "12  34", "12  34"),
        ("departments", "region: Gulf  Coast ", "region:Gulf Coast"),
        ("departments", "root", "root"),
        ("jobs", " 12345. ", "12345."),
        ("jobs", "office:4", "office:4"),
        ("vehicles", " 281474980003737", "281474980003737"),
    ],
)
def test_a_key_has_one_normal_form_and_keeps_it(entity: EntityName, written: str, key: str) -> None:
    assert normal_key(entity, written) == key
    assert normal_key(entity, key) == key


@pytest.mark.parametrize("name", ["Straße", "İstanbul", "ﬁtter", "ΣΊΣΥΦΟΣ", "\u1e9e", "½ Welder", "\u0345x"])
def test_the_key_of_a_title_is_the_key_of_its_key(name: str) -> None:
    assert title_key(title_key(name)) == title_key(name) == title_key(f" {name}\u200b ")


def test_a_request_names_each_record_once_and_in_the_normal_form() -> None:
    request = RunRequest(entities=("employees",), keys=("001001", "1001.0", "1002"))
    assert request.keys == ("1001", "1002")
    assert RunRequest(entities=("titles",), keys=("FOREMAN",)).one_record == "foreman"


def test_a_run_document_of_another_release_is_read_with_keys_in_the_normal_form() -> None:
    value: dict[str, Any] = {
        "run_id": "r",
        "request": {"mode": "apply", "entities": ["employees"], "keys": ["001001"]},
        "requested_at": "2026-03-02T12:00:00+00:00",
        "entities": {},
        "phase": "done",
        "finished_at": None,
    }
    assert run_from_json(value).request.keys == ("1001",)


def numbered(*values: Any) -> tuple[dict[str, Any], list[Rejected]]:
    def key_of(value: Any) -> str | None:
        if value == "boom":
            raise RuntimeError(value)
        return value if isinstance(value, str) else None

    return by_key(values, key_of, "Job", "Vista", KEYS["jobs"], raw_of=lambda value: value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "Job is empty: mend row 2 in Vista"),
        (Decimal("7.5"), "Job is no text (7.5): mend row 2 in Vista"),
        (b"x", "Job is no text: mend row 2 in Vista"),
        ("boom", "Job cannot be read (see the log): mend row 2 in Vista"),
    ],
)
def test_a_row_without_a_key_is_reported_with_the_reason_and_costs_no_other_row(
    value: Any, told: str
) -> None:
    kept, (rejected,) = numbered("1.", value, "2.")
    assert kept == {"1.": "1.", "2.": "2."}
    assert (rejected.key, rejected.kind, rejected.reason) == ("? (row 2)", "invalid", told)


@pytest.mark.parametrize("listed", ["1001", "001001"])
def test_changes_are_filtered_by_a_key_as_given_and_in_its_normal_form(listed: str) -> None:
    change = described("employees", planned_change(listed), None)
    assert ChangeFilter(entity="employees", key="001001").matches(change)
    assert not ChangeFilter(entity="employees", key="1002").matches(change)
