"""Small listings that are kept, and what must be there before vehicles are changed."""

from __future__ import annotations

import logging

import pytest

from shared.errors import ConfigurationError, IncompleteRead, UnreadableDocument
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.model import ENTITIES, EntityName
from shared.sync.planning.lookups import forget_lookups, read_lookup, role_ids, sites_of_asset_types
from shared.sync.planning.prerequisites import check_prerequisites
from tests.unit.planning_rig import VEHICLES_ON, PlanningRig


@pytest.fixture
def rig() -> PlanningRig:
    return PlanningRig("vehicles", **VEHICLES_ON)


class TestALookup:
    def test_is_listed_once_and_kept(self, rig: PlanningRig) -> None:
        assert role_ids(rig.services) == role_ids(rig.services) == {"Field": 5}
        assert sites_of_asset_types(rig.services) == {"61": 51}
        assert rig.safetyamp.asked == ["roles", "asset_types"]
        assert read_json(rig.documents, paths.lookup("asset_types")) == {"61": 51}

    def test_is_listed_again_and_kept_anew_when_it_is_refreshed(self, rig: PlanningRig) -> None:
        role_ids(rig.services)
        rig.safetyamp.rows["roles"].append({"id": 6, "name": "Crew"})
        assert role_ids(rig.services) == {"Field": 5}
        assert role_ids(rig.services, refresh=True) == {"Field": 5, "Crew": 6}
        assert role_ids(rig.services) == {"Field": 5, "Crew": 6}

    def test_that_is_empty_is_kept_too(self, rig: PlanningRig) -> None:
        rig.safetyamp.rows["roles"] = []
        assert role_ids(rig.services) == role_ids(rig.services) == {}
        assert rig.safetyamp.asked == ["roles"]

    def test_of_what_has_no_site_says_none(self, rig: PlanningRig) -> None:
        rig.safetyamp.rows["asset_types"].append({"id": 62})
        assert sites_of_asset_types(rig.services) == {"61": 51, "62": None}

    def test_is_forgotten_with_all_others(self, rig: PlanningRig) -> None:
        role_ids(rig.services)
        sites_of_asset_types(rig.services)
        forget_lookups(rig.services)
        forget_lookups(rig.services)
        assert read_lookup(rig.documents, "roles") is None
        assert read_lookup(rig.documents, "asset_types") is None

    @pytest.mark.parametrize("damage", [b"{", b"[]", b'{"Field": "5"}'], ids=["cut off", "list", "text"])
    def test_that_cannot_be_read_is_listed_anew(
        self, rig: PlanningRig, damage: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        rig.documents.write(paths.lookup("roles"), damage)
        with pytest.raises(UnreadableDocument):
            read_lookup(rig.documents, "roles")
        with caplog.at_level(logging.WARNING):
            assert role_ids(rig.services) == {"Field": 5}
        assert [vars(one)["event"] for one in caplog.records] == ["document_unreadable"]
        assert read_lookup(rig.documents, "roles") == {"Field": 5}

    def test_whose_listing_was_cut_off_is_left_as_it_was(self, rig: PlanningRig) -> None:
        role_ids(rig.services)
        rig.safetyamp.fails["roles"] = IncompleteRead("cut off")
        with pytest.raises(IncompleteRead):
            role_ids(rig.services, refresh=True)
        assert role_ids(rig.services) == {"Field": 5}


class TestTheAssetType:
    def test_of_the_site_is_right_and_costs_one_listing(self, rig: PlanningRig) -> None:
        check_prerequisites(rig.services, "vehicles")
        check_prerequisites(rig.services, "vehicles")
        assert rig.safetyamp.asked == ["asset_types"]

    @pytest.mark.parametrize(
        ("types", "problem"),
        [
            ([], "SafetyAmp has no asset type 61"),
            ([{"id": 62, "site_id": 51}], "SafetyAmp has no asset type 61"),
            ([{"id": 61, "site_id": 52}], "belongs to site 52, but SAFETYAMP_VEHICLE_SITE_ID is 51"),
            ([{"id": 61}], "belongs to site None, but SAFETYAMP_VEHICLE_SITE_ID is 51"),
        ],
        ids=["none", "another", "another site's", "nobody's"],
    )
    def test_that_would_have_every_asset_refused_is_named_with_its_setting(
        self, rig: PlanningRig, types: list[dict[str, int]], problem: str
    ) -> None:
        rig.safetyamp.rows["asset_types"] = types
        with pytest.raises(ConfigurationError, match=problem) as raised:
            check_prerequisites(rig.services, "vehicles")
        assert [one.setting for one in raised.value.problems] == ["SAFETYAMP_VEHICLE_ASSET_TYPE_ID"]

    def test_that_was_mended_since_it_was_kept_is_right(self, rig: PlanningRig) -> None:
        rig.put(paths.lookup("asset_types"), {"61": 52})
        check_prerequisites(rig.services, "vehicles")
        assert read_lookup(rig.documents, "asset_types") == {"61": 51}

    def test_that_was_moved_since_it_was_kept_is_not_looked_up_in_every_run(self, rig: PlanningRig) -> None:
        """SafetyAmp then refuses the assets, and says why."""
        check_prerequisites(rig.services, "vehicles")
        rig.safetyamp.rows["asset_types"] = []
        check_prerequisites(rig.services, "vehicles")
        assert rig.safetyamp.asked == ["asset_types"]

    @pytest.mark.parametrize("entity", [one for one in ENTITIES if one != "vehicles"])
    def test_is_no_matter_of_other_entities(self, rig: PlanningRig, entity: EntityName) -> None:
        rig.safetyamp.rows["asset_types"] = []
        check_prerequisites(rig.services, entity)
        assert rig.safetyamp.asked == []
