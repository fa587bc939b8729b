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
        (("Foreman ", "Foreman", " Foreman"), ["foreman"]),
        (("Foreman", "FOREMAN", "fore\u00adman"), ["foreman"]),
        (("\uff26\uff4f\uff52\uff45\uff4d\uff41\uff4e", "Foreman"), ["foreman"]),
        (("STRASSENBAU", "Straßenbau"), ["strassenbau"]),
        (("Jose", "José"), ["jose", "josé"]),
        (("Crew\tLead\x00  II",), ["crew lead ii"]),
        ((), []),
    ],
)
def test_spellings_that_differ_in_case_spaces_and_width_only_are_one_title(
    stored: tuple[str, ...], keys: list[str]
) -> None:
    assert [record.key for record in records(*stored)] == keys


def test_all_empty_titles_are_one_skipped_record() -> None:
    rejected, record = records(None, " ", "Welder", None)
    assert isinstance(rejected, Rejected)
    assert (rejected.kind, record.key) == ("skipped", "welder")


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"id": 1, "name": "Foreman "}, "foreman"),
        ({"id": 1, "name": "FOREMAN"}, "foreman"),
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
    desired = MAPPING.desired(record)
    assert desired == Desired("crew lead", {}, {"name": "Crew Lead"})
    target = MAPPING.target({"id": 3, "name": "Crew Lead"})
    assert target is not None
    assert (target.key, MAPPING.core(target.fields)) == ("crew lead", {"name": "Crew Lead"})


@pytest.mark.parametrize(
    ("stored", "name"),
    [
        (("FOREMAN", "Foreman", "foreman"), "Foreman"),
        (("FOREMAN", "foreman"), "foreman"),
        (("FOREMAN", " FOREMAN", "Foreman"), "FOREMAN"),
        (("Foreman", "ForeMan"), "ForeMan"),
    ],
)
def test_the_most_frequent_spelling_is_sent_and_of_equals_always_the_same(
    stored: tuple[str, ...], name: str
) -> None:
    for order in (stored, stored[::-1]):
        (record,) = records(*order)
        assert isinstance(record, SourceRecord)
        desired = MAPPING.desired(record)
        assert isinstance(desired, Desired)
        assert desired.create_only == {"name": name}


def test_what_is_no_text_is_reported_and_never_a_title() -> None:
    mapping = titles.mapping(MappingOptions(title_column="udRank"))
    empty, odd, welder = mapping.records(TitlesSource([None, b"Foreman", True, "Welder"]))  # type: ignore[list-item]
    assert isinstance(empty, Rejected)
    assert isinstance(odd, Rejected)
    assert (empty.kind, empty.field) == ("skipped", "udRank")
    assert (odd.kind, odd.field) == ("invalid", "udRank")
    assert welder.key == "welder"
