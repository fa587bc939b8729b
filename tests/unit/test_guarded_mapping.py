"""A record whose mapping fails in a way that nobody foresaw costs itself only."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from shared.sync.entities import mappings
from shared.sync.entities.guarded import desired_of, target_of
from shared.sync.model import Desired, Rejected, SourceRecord, Target
from shared.sync.sources import MappingOptions
from tests.unit.test_listing import MAPPINGS

TITLES = mappings(MappingOptions())["titles"]


class Failing:
    """A mapping in which one record makes the program fail."""

    name = "titles"

    def desired(self, record: SourceRecord) -> Desired | Rejected:
        if record.key == "bad":
            raise RuntimeError("Pat's secret")
        return TITLES.desired(record)

    def target(self, row: dict[str, Any]) -> Target | None:
        if row["name"] == "bad":
            raise TypeError("Pat's secret")
        return TITLES.target(row)


FAILING: Any = Failing()


def test_the_record_is_invalid_with_what_to_do_and_nothing_of_its_data() -> None:
    result = desired_of(FAILING, SourceRecord("bad", ("bad",)))
    assert isinstance(result, Rejected)
    assert (result.key, result.kind) == ("bad", "invalid")
    assert result.reason.startswith("unexpected")
    assert "see the log" in result.reason
    assert "secret" not in result.reason
    assert isinstance(desired_of(FAILING, SourceRecord("good", ("good",))), Desired)


def test_a_row_of_safetyamp_is_there_although_nothing_of_it_can_be_read() -> None:
    assert target_of(FAILING, {"id": 7, "name": "bad"}) == Target(7, None, {}, readable=False)
    assert target_of(FAILING, {"id": 8, "name": "Good"}) == Target(8, "good", {"name": "Good"})


@pytest.mark.parametrize(
    "row", [{"id": 1, "name": name} for name in (["x"], {"a": 1}, 5, True, None, "\ud83d")], ids=repr
)
@pytest.mark.parametrize("entity", ["departments", "jobs", "titles", "employees", "vehicles"])
def test_no_row_of_safetyamp_makes_a_mapping_fail(entity: Any, row: dict[str, Any]) -> None:
    mapping = MAPPINGS[entity]
    value = row["name"]
    names = (
        "emp_id",
        "ext_id",
        "external_code",
        "state",
        "country",
        "zip_code",
        "gender",
        "mobile_phone",
        "email",
    )
    more = (
        "date_of_birth",
        "system_access",
        "home_site",
        "current_title",
        "serial",
        "gateway",
        "parent_cluster_id",
    )
    target = target_of(mapping, {**row, **dict.fromkeys((*names, *more), value), "depth": 2})
    assert target is None or target.readable
    json.dumps(asdict(target) if target else None)
