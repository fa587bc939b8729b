"""Small listings that are kept, and what must be there before vehicles are changed."""

from __future__ import annotations

import logging

import pytest

from shared.errors import ConfigurationError, IncompleteRead, RateLimited, UnreadableDocument
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.model import ENTITIES, EntityName
from shared.sync.planning.lookups import forget_lookups, read_lookup, role_ids, sites_of_asset_types
from shared.sync.planning.prerequisites import check_prerequisites
from tests.unit.engine_rig import EngineRig, PagedSafetyAmp
from tests.unit.planning_rig import VEHICLES_ON, PlanningRig

PAGES = paths.lookup_pages("roles")


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

    def test_of_many_pages_goes_on_where_it_was_when_the_window_had_no_place_for_all(self) -> None:
        pages = [[{"id": 10 * page, "name": f"role {page}"}] for page in range(4)]
        rig = EngineRig(PagedSafetyAmp(pages))
        rig.safetyamp.fail_at = dict.fromkeys((1, 2, 4), RateLimited("full", 9.0))
        for _ in range(3):
            with pytest.raises(RateLimited):
                role_ids(rig.services)
        assert len(role_ids(rig.services)) == 4
        assert rig.safetyamp.asked == [0, 1, 1, 2, 2, 3, 4, 4]
        assert rig.documents.read(PAGES) is None

    @pytest.mark.parametrize("spoilt", ["old", "damaged"])
    def test_of_many_pages_begins_anew_where_what_was_read_is(self, spoilt: str) -> None:
        rig = EngineRig(PagedSafetyAmp([[{"id": 1, "name": "a"}], [{"id": 2, "name": "b"}]]))
        rig.safetyamp.fail_at = {1: RateLimited("full", 9.0)}
        with pytest.raises(RateLimited):
            role_ids(rig.services)
        if spoilt == "old":
            rig.clock.advance(3601)
        else:
            rig.documents.write(PAGES, b"{")
        assert role_ids(rig.services) == {"a": 1, "b": 2}
        assert rig.safetyamp.asked == [0, 1, 0, 1, 2]

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
