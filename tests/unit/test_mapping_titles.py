"""Titles of Vista as user titles."""

from __future__ import annotations

from typing import Any

import pytest

from shared.sync.entities import titles
from shared.sync.model import Desired, Rejected, SourceRecord
from shared.sync.sources import MappingOptions, TitlesSource

MAPPING = titles.mapping(MappingOptions())


def records(*stored: str | None) -> list[SourceRecord | Rejected]:
    return list(MAPPING.records(TitlesSource(list(stored))))


@pytest.mark.parametrize(
    ("stored", "keys"),
    [
        (("Foreman ", "Foreman", " Foreman"), ["Foreman"]),
        (("Foreman", "FOREMAN"), ["FOREMAN", "Foreman"]),
        (("Crew\tLead\x00  II",), ["Crew Lead II"]),
        ((), []),
    ],
)
def test_a_title_is_its_cleaned_text(stored: tuple[str, ...], keys: list[str]) -> None:
    assert [record.key for record in records(*stored)] == keys


def test_all_empty_titles_are_one_skipped_record() -> None:
    rejected, record = records(None, " ", "Welder", None)
    assert isinstance(rejected, Rejected)
    assert (rejected.kind, record.key) == ("skipped", "Welder")


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"id": 1, "name": "Foreman "}, "Foreman"),
        ({"id": 1, "name": "FOREMAN"}, "FOREMAN"),
        ({"id": 1, "name": ""}, None),
    ],
)
def test_a_stored_title_is_cleaned_like_the_sources(row: dict[str, Any], key: str | None) -> None:
    target = MAPPING.target(row)
    assert target is not None
    assert target.key == key


def test_a_deleted_title_is_none() -> None:
    assert MAPPING.target({"id": 1, "name": "Foreman", "deleted_at": "2025-01-01 00:00:00"}) is None


def test_what_was_created_needs_no_update() -> None:
    (record,) = records(" Crew  Lead")
    assert isinstance(record, SourceRecord)
    desired = MAPPING.desired(record, TitlesSource([]))
    assert desired == Desired("Crew Lead", {"name": "Crew Lead"})
    target = MAPPING.target({"id": 3, "name": "Crew Lead"})
    assert target is not None
    assert (target.key, target.fields, MAPPING.core(target.fields)) == (
        "Crew Lead",
        desired.fields,
        {"name": "Crew Lead"},
    )
