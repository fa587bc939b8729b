"""Whom Azure's headers name, when they are believed, and what roles allow."""

from __future__ import annotations

import base64
import json
from typing import Any

import azure.functions as func
import pytest

from functions.access import DECLARED, SIGNED_IN
from local.host.stack import fresh_app
from shared.errors import IdentityUnreadable
from shared.sign_in import BY_KEY, ROLES, Caller, caller_of, is_entra, platform_signs_in
from tests.doubles.sign_in_front import LONG_ROLE, OBJECT_ID, OLGA, ROBOT, Person, encoded

OPEN = {"health", "ready", "dashboard"}
NEEDED = {
    "metrics": "viewer",
    "show_openapi": "viewer",
    "show_status": "viewer",
    "show_runs": "viewer",
    "show_run": "viewer",
    "show_report": "viewer",
    "show_plan": "viewer",
    "show_changes": "viewer",
    "explain_record": "viewer",
    "explain_any_record": "viewer",
    "search_records": "viewer",
    "name_records": "viewer",
    "show_trends": "viewer",
    "show_last_calls": "viewer",
    "show_history": "viewer",
    "show_failures": "viewer",
    "show_fix_list": "viewer",
    "show_dead_letters": "viewer",
    "show_control": "viewer",
    "show_decisions": "viewer",
    "show_rules": "viewer",
    "list_rules": "viewer",
    "compare_rules": "viewer",
    "show_rules_preview": "viewer",
    "preview_rules": "operator",
    "push_rules": "approver",
    "roll_back_rules": "approver",
    "show_settings": "operator",
    "start_sync": "operator",
    "retry_failures": "operator",
    "cancel_run": "operator",
    "pause_any": "operator",
    "pause_sync": "operator",
    "resume_any": "operator",
    "resume_sync": "operator",
    "delete_cache": "operator",
    "approve_run": "approver",
    "resubmit_dead_letters": "approver",
    "show_me": None,
}
"""Who may call what (docs/api.md#signing-in), beside the code's own table."""


def routes() -> dict[str, dict[str, Any]]:
    """The app's HTTP functions, by name, with their triggers."""
    found = {}
    for function in fresh_app().get_functions():
        trigger = function.get_trigger()
        assert trigger is not None
        if (told := trigger.get_dict_repr())["type"] == "httpTrigger":
            found[str(function.get_function_name())] = told
    return found


def test_every_route_but_the_open_ones_has_a_role_and_a_guarded_twin() -> None:
    """A new route needs an entry in NEEDED; made without `operation` it has no role, and no twin."""
    found = routes()
    named = {declared.name: declared.role for declared in DECLARED.values()}
    assert named == NEEDED
    assert set(found) == OPEN | NEEDED.keys() | {f"entra_{name}" for name in NEEDED}
    for (method, route), declared in DECLARED.items():
        by_key, signed_in = found[declared.name], found[f"entra_{declared.name}"]
        assert by_key["authLevel"] is func.AuthLevel.FUNCTION
        assert signed_in["authLevel"] is func.AuthLevel.ANONYMOUS
        assert (by_key["route"], signed_in["route"]) == (route, SIGNED_IN + route)
        assert [each.value for each in by_key["methods"]] == [method]
        assert [each.value for each in signed_in["methods"]] == [method]


NOT_FOR_VIEWERS = ("show_settings",)
"""What only reads, but of the installation and not of its records."""


def test_a_get_only_reads() -> None:
    """What changes something is asked for by another method, which a link or an image cannot use."""
    for (method, _), declared in DECLARED.items():
        assert method != "GET" or declared.role in ("viewer", None) or declared.name in NOT_FOR_VIEWERS


@pytest.mark.parametrize(
    ("roles", "allowed"),
    [
        ((), []),
        (("viewer",), ["viewer"]),
        (("operator",), ["viewer", "operator"]),
        (("approver",), ["viewer", "operator", "approver"]),
    ],
)
def test_a_higher_role_includes_the_lower_ones(roles: Any, allowed: list[str]) -> None:
    caller = Caller("person", "id", "name", frozenset(roles))
    assert [role for role in ROLES if caller.may(role)] == allowed
    assert caller.may(None)


def test_a_key_is_nobody_and_approves_nothing_where_people_sign_in() -> None:
    assert (BY_KEY.id, BY_KEY.name) == (None, None)
    assert [role for role in ROLES if BY_KEY.may(role)] == ["viewer", "operator"]


@pytest.mark.parametrize("role_claim", ["roles", LONG_ROLE, "what role_typ says"])
def test_a_role_is_found_under_each_type_that_it_comes_under(role_claim: str) -> None:
    caller = caller_of(OLGA.headers(role_claim, role_typ="what role_typ says"))
    assert caller == Caller("person", OLGA.object_id, OLGA.name, frozenset({"operator"}))


def test_roles_under_another_claim_and_other_roles_are_none() -> None:
    strange = Person("id", "name", ("Approver", "admin", " approver"))
    assert found(caller_of(strange.headers())).roles == frozenset()
    assert found(caller_of(OLGA.headers("groups"))).roles == frozenset()


def test_several_roles_come_as_several_claims() -> None:
    both = Person("id", "name", ("viewer", "approver"))
    assert found(caller_of(both.headers())).roles == {"viewer", "approver"}


@pytest.mark.parametrize("odd", [{"typ": "roles"}, {"typ": "roles", "val": ["approver"]}, "roles", None, 7])
def test_an_odd_claim_gives_nothing_and_takes_nothing(odd: Any) -> None:
    claims = [odd, {"typ": OBJECT_ID, "val": "a"}, {"typ": "roles", "val": "viewer"}, odd]
    headers = {"X-MS-CLIENT-PRINCIPAL": encoded({"auth_typ": "aad", "claims": claims})}
    assert found(caller_of(headers)).roles == {"viewer"}


def test_names_have_an_end() -> None:
    endless = found(caller_of(Person("i" * 5000, "n" * 5000).headers()))
    assert (len(str(endless.id)), len(str(endless.name))) == (200, 200)


def test_an_application_is_called_by_its_id_and_a_person_by_name_also_with_a_token_of_an_application() -> (
    None
):
    caller = found(caller_of(ROBOT.headers()))
    assert (caller.kind, caller.id, caller.name) == ("app", ROBOT.object_id, f"app:{ROBOT.app_id}")
    by_command_line = Person("id", "olga@example.com", ("operator",), "04b07795-8ddb-461a-bbee-02f9e1bf7b46")
    assert found(caller_of(by_command_line.headers())).kind == "person"


def test_without_a_header_nobody_is_signed_in() -> None:
    assert caller_of({}) is None
    assert caller_of({"X-MS-CLIENT-PRINCIPAL-ID": "id", "X-MS-CLIENT-PRINCIPAL-NAME": "name"}) is None


def test_the_object_id_comes_from_the_claims_else_from_its_header() -> None:
    principal = {"auth_typ": "aad", "claims": [{"typ": "oid", "val": "a"}]}
    assert found(caller_of({"X-MS-CLIENT-PRINCIPAL": encoded(principal)})).id == "a"
    headers = {"X-MS-CLIENT-PRINCIPAL": encoded({"auth_typ": "aad"}), "X-MS-CLIENT-PRINCIPAL-ID": "b"}
    assert found(caller_of(headers)).id == "b"
    with pytest.raises(IdentityUnreadable, match="object id"):
        caller_of({"X-MS-CLIENT-PRINCIPAL": encoded({"auth_typ": "aad"})})


@pytest.mark.parametrize(
    "header",
    [
        "",
        "%%%",
        OLGA.headers()["X-MS-CLIENT-PRINCIPAL"][:-3],
        f"{OLGA.headers()['X-MS-CLIENT-PRINCIPAL']}, {OLGA.headers()['X-MS-CLIENT-PRINCIPAL']}",
        base64.b64encode(b"no JSON").decode(),
        base64.b64encode(b"\xff\xfe").decode(),
        base64.b64encode(b"[" * 100_000).decode(),
        encoded([]),
        encoded({"auth_typ": "", "claims": []}),
        encoded({"auth_typ": "github", "claims": [{"typ": OBJECT_ID, "val": "a"}]}),
        encoded({"auth_typ": "aad", "claims": {"roles": "approver"}}),
        encoded({"auth_typ": "aad", "claims": [{"typ": OBJECT_ID, "val": 7}]}),
        # Static Web Apps' shape.
        encoded({"identityProvider": "aad", "userId": "a", "userRoles": ["approver"]}),
    ],
)
def test_a_header_that_is_not_azures_is_refused_and_not_taken_for_none(header: str) -> None:
    with pytest.raises(IdentityUnreadable) as raised:
        caller_of({"X-MS-CLIENT-PRINCIPAL": header})
    assert len(str(raised.value)) < 100


@pytest.mark.parametrize(
    ("environment", "believed"),
    [
        ({}, False),
        ({"WEBSITE_AUTH_ENABLED": "True"}, True),
        ({"WEBSITE_AUTH_ENABLED": " true "}, True),
        ({"WEBSITE_AUTH_ENABLED": "False"}, False),
        ({"WEBSITE_AUTH_ENABLED": "1"}, False),
        ({"WEBSITE_AUTH_ENABLED": "yes"}, False),
        ({"SIGN_IN_PROXY": "container-apps"}, False),
        ({"CONTAINER_APP_NAME": "app"}, False),
        ({"CONTAINER_APP_NAME": "app", "SIGN_IN_PROXY": "none"}, False),
        ({"CONTAINER_APP_NAME": "app", "SIGN_IN_PROXY": "container-apps"}, True),
    ],
)
def test_headers_are_believed_only_where_the_platform_sets_them(
    environment: dict[str, str], believed: bool
) -> None:
    assert platform_signs_in(environment) is believed


@pytest.mark.parametrize(
    ("value", "expected"),
    [("entra", True), (" entra\n", True), ("keys", False), ("", False), ("Entra", False), ("x", False)],
)
def test_only_entra_lets_people_sign_in(value: str, expected: bool) -> None:
    """Settings refuse what is neither of the two."""
    assert is_entra({"SIGN_IN": value}) is expected
    assert is_entra({"sign_in": value}) is expected


def found(caller: Caller | None) -> Caller:
    assert caller is not None
    return caller


def test_the_stand_in_sends_what_app_service_sends() -> None:
    decoded = json.loads(base64.b64decode(OLGA.headers()["X-MS-CLIENT-PRINCIPAL"]))
    assert {"typ": "roles", "val": "operator"} in decoded["claims"]
