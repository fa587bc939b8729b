"""Copies of JSON values."""

from __future__ import annotations

from typing import Any

from local.json_values import copied


def test_a_copy_is_equal_and_shares_no_list_and_no_dictionary() -> None:
    value: dict[str, Any] = {
        "rows": [{"id": 1, "roles": [1, 2]}, [], None],
        "next": {"users": 3},
        "name": "x",
    }
    copy = copied(value)
    assert copy == value
    copy["rows"][0]["roles"].append(3)
    copy["rows"][1].append(4)
    copy["next"]["users"] = 5
    assert value == {"rows": [{"id": 1, "roles": [1, 2]}, [], None], "next": {"users": 3}, "name": "x"}
