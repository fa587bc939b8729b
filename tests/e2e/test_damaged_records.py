"""What the state remembers of one record is damaged, and the document can be read otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.storage.documents import read_json, to_json
from shared.sync import paths
from tests.e2e.people_rig import NewRig, PeopleRig, new_rig, rig

__all__ = ["NewRig", "new_rig", "rig"]


def damaged_text(document: dict[str, Any]) -> None:
    document["records"]["1003"][3]["failure"]["errors"] = {"city": 1.5}


def damaged_errors(document: dict[str, Any]) -> None:
    document["records"]["1003"][3]["failure"]["errors"] = None


def damaged_place(document: dict[str, Any]) -> None:
    document["moved"] = {"1006": [{}, None]}


@pytest.mark.parametrize("damage", [damaged_text, damaged_errors, damaged_place])
def test_costs_no_leaver_and_no_later_run(rig: PeopleRig, damage: Callable[[dict[str, Any]], None]) -> None:
    """It is rebuilt, or that record alone is reported: never the entity, in this run and in all after it."""
    rig.moves(1003, City="X" * 300)
    rig.run()
    path = paths.state("employees")
    document = read_json(rig.documents, path)
    damage(document)
    rig.documents.write(path, to_json(document))
    rig.leaves(1001)
    for _ in range(2):
        ran = rig.run()
    assert ran.entity("employees")["phase"] == "done"
    assert not rig.user(1001)["system_access"]
