"""What several answers share: the call that a change stands for, what to do about each kind of trouble, what
a record has to wait for, and emptying the cache."""

from __future__ import annotations

from typing import Any

import pytest
from fakeredis import FakeServer

from shared.queries import answers
from shared.queries.cache_names import ALL, CACHED, empty_cache
from shared.queries.openapi.operations import PATH_PARAMETERS
from shared.queries.openapi.schemas import Components
from shared.queries.record_calls import call_of
from shared.queries.references import can_go_without, missing_references, why_missing
from shared.resilience.redis_connection import RedisConnection
from shared.storage.cache import Cache
from shared.sync.documents.control import Pause
from shared.sync.documents.outcome import RESULTS, Outcome
from shared.sync.documents.state import FAILURE, GONE, Entry
from shared.sync.model import ENTITIES, EntityName, Ref
from shared.sync.planning.listing import RESOURCES
from shared.sync.planning.resolver import Resolver
from shared.sync.suggestions import SUGGESTIONS, refusal_kind, suggestion_for
from tests.unit.operations_rig import OperationsRig, change
from tests.unit.redis_rig import client_of

# -- calls -----------------------------------------------------------------------------------------------


def call(entity: EntityName, result: Any, action: Any = "update", **outcome: Any) -> answers.Call | None:
    """The call of a change of a record that is there as 7."""
    one = change("1", action, target_id=None if action == "create" else 7)
    return call_of(entity, one, result and Outcome("1", action, result, "digest", **outcome))


@pytest.mark.parametrize("entity", ENTITIES)
@pytest.mark.parametrize("action", ["create", "update", "deactivate", "reactivate"])
def test_a_change_stands_for_the_call_that_its_resource_takes(entity: EntityName, action: str) -> None:
    made = call(entity, "failed", action)
    path = f"/api/{RESOURCES[entity]}"
    if action == "create":
        assert made == {"method": "POST", "path": path}
    else:
        # Only of users PATCH is known to work (docs/contracts/safetyamp.md).
        assert made == {"method": "PATCH" if entity == "employees" else "PUT", "path": f"{path}/7"}


@pytest.mark.parametrize("result", [None, *RESULTS])
def test_what_was_not_sent_stands_for_no_call(result: str | None) -> None:
    assert (call("employees", result) is None) is (result in (None, "waiting", "cancelled"))


def test_what_was_not_tried_stands_for_no_call() -> None:
    assert call("employees", "failed", reason="401 of SafetyAmp", not_tried=True) is None
    assert call("employees", "failed", reason="no answer came") is not None


# -- what to do ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted({*SUGGESTIONS, "unheard of"}))
def test_there_is_advice_for_every_kind_of_trouble(kind: str) -> None:
    advice = suggestion_for(kind)
    assert advice.endswith(".")
    assert (advice == suggestion_for("failed")) is (kind in ("failed", "unheard of"))


@pytest.mark.parametrize(
    "result", ["refused", "failed", "waiting", "gone", "cancelled", "invalid", "skipped"]
)
def test_what_may_become_of_a_record_has_advice_of_its_own(result: str) -> None:
    assert result in SUGGESTIONS


@pytest.mark.parametrize(
    ("errors", "kind"),
    [
        ({"email": ["The email has already been taken."]}, "taken"),
        ({"street": ["too long"], "mobile_phone": ["must be valid", "is in use"]}, "taken"),
        ({"street": ["too long"]}, "refused"),
        ({"taken": ["too long"]}, "refused"),
        ({}, "refused"),
        ({"record": ["answered 400 without naming a field"]}, "refused with the source right"),
        ({"home_site_id": ["is invalid"], "roles.0": ["is taken"]}, "refused with the source right"),
        ({"home_site_id": ["is invalid"], "street": ["too long"]}, "refused"),
    ],
)
def test_safetyamps_texts_tell_whether_a_value_is_taken(errors: dict[str, list[str]], kind: str) -> None:
    assert refusal_kind(errors) == kind


# -- references ------------------------------------------------------------------------------------------

SITE = {"$ref": ["jobs", "100."]}
TITLE = {"$ref": ["titles", "Welder"]}


class ReferencesRig(OperationsRig):
    """Jobs and titles as the state knows them."""

    @property
    def resolver(self) -> Resolver:
        return Resolver(self.services, "none", "employees")

    def missing(self, **fields: Any) -> list[Ref]:
        return missing_references(self.resolver, change("7", "create", fields=fields))

    def why(self, ref: Ref, *paused: EntityName) -> list[str]:
        pauses = {entity: Pause("2026-01-05T06:00:00+00:00", "moving") for entity in paused}
        return list(why_missing(self.resolver, pauses, ref))


def test_what_safetyamp_does_not_have_is_missing_whatever_its_spelling() -> None:
    rig = ReferencesRig()
    assert rig.missing(home_site_id=SITE, current_title_id=TITLE) == [
        Ref("jobs", "100."),
        Ref("titles", "Welder"),
    ]
    rig.keep_state({"100.": Entry(5, "d", {}, {})}, "jobs")
    rig.keep_state({"welder": Entry(6, "d", {}, {})}, "titles")
    assert rig.missing(home_site_id=SITE, current_title_id=TITLE, street="1 Elm") == []


def test_roles_and_offices_are_no_records_of_ours_to_wait_for() -> None:
    assert (
        ReferencesRig().missing(role={"$ref": ["roles", "Field"]}, site={"$ref": ["offices", "Gulf"]}) == []
    )


def test_without_a_change_nothing_is_missing() -> None:
    assert missing_references(ReferencesRig().resolver, None) == []


@pytest.mark.parametrize(
    ("action", "fields", "missing", "goes"),
    [
        ("create", {"street": "1 Elm"}, [], True),
        ("create", {"street": "1 Elm", "current_title_id": TITLE}, [Ref("titles", "Welder")], True),
        ("create", {"street": "1 Elm", "home_site_id": SITE}, [Ref("jobs", "100.")], False),
        ("update", {"street": "1 Elm", "home_site_id": SITE}, [Ref("jobs", "100.")], True),
        ("update", {"home_site_id": SITE}, [Ref("jobs", "100.")], False),
        ("update", {"home_site_id": SITE, "current_title_id": TITLE}, [Ref("titles", "Welder")], True),
    ],
)
def test_a_change_goes_without_what_is_missing_where_something_is_left_that_makes_sense(
    action: str, fields: dict[str, Any], missing: list[Ref], goes: bool
) -> None:
    assert can_go_without(change("7", action, fields=fields), missing) is goes


def test_what_the_same_run_will_make_needs_no_reason() -> None:
    rig = ReferencesRig()
    assert rig.why(Ref("jobs", "100.")) == []
    rig.keep_state({"100.": Entry(5, "d", {}, {GONE: True})}, "jobs")
    assert rig.missing(home_site_id=SITE) == [Ref("jobs", "100.")], "nobody knows whether it is there"
    assert rig.why(Ref("jobs", "100.")) == []


def test_what_is_paused_refused_or_claimed_by_several_is_waited_for() -> None:
    rig = ReferencesRig()
    refused = Entry(
        None, None, {}, {FAILURE: {"digest": "d", "errors": {"name": ["no"], "city": ["no"]}, "at": None}}
    )
    rig.keep_state({"100.": refused}, "jobs", ambiguous={"200.": [1, 2]})
    waits = "waiting for jobs 100., which SafetyAmp does not have yet"
    assert rig.why(Ref("jobs", "100.")) == [f"{waits}: SafetyAmp refused it (city, name)"]
    (paused,) = rig.why(Ref("jobs", "100."), "jobs", "titles")
    assert paused.startswith(f"{waits}: jobs is paused since 2026-01-05 06:00 UTC: moving")
    (several,) = rig.why(Ref("jobs", "200."), "titles")
    assert several.endswith("under one id only: several records claim it there")


# -- the cache -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "left"), [(ALL, set()), (CACHED[0], set(CACHED[1:])), ("unknown", set(CACHED))]
)
def test_a_listing_is_forgotten_by_its_name_and_all_by_theirs(name: str, left: set[str]) -> None:
    rig = OperationsRig()
    redis = client_of(FakeServer())
    cache = Cache(RedisConnection(lambda: redis, rig.clock), rig.clock)
    for cached in CACHED:
        cache.get_cached_data(cached, lambda: "old", 1.0)
    assert empty_cache(cache, name) == len(CACHED) - len(left)
    assert {cached for cached in CACHED if cache.get_cached_data(cached, lambda: "new", 1.0) == "old"} == left


def test_the_api_knows_the_same_names() -> None:
    name = PATH_PARAMETERS["/api/cache/{name}"]["name"]
    assert Components().schema(name)["enum"] == [*CACHED, ALL]
