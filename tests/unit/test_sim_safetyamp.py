"""The SafetyAmp simulator is as strict as what was seen of the real one (docs/contracts/safetyamp.md)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.fake_clock import FakeClock
from local.simulators.exchange import AnswerLost, Headers, SimRequest, SimResponse
from local.simulators.safetyamp import SafetyAmpSimulator
from local.simulators.safetyamp_seed import SafetyAmpSeed, Seeded

GOOD_HEADERS = {
    "Authorization": "Bearer key",
    "Fqdn": "acme.safetyamp.com",
    "Accept": "application/json",
    "User-Agent": "Acme-Sync/1.0",
    "Content-Type": "application/json",
}
SEED = SafetyAmpSeed("Acme", ("North", "South"))
SITE = {
    "name": "100. - Bridge",
    "ext_id": "100.",
    "street": "1 Main",
    "city": "Houma",
    "state": "LA",
    "country": "US",
    "timezone": "America/Chicago",
    "zip_code": "70360",
}


class Client:
    """Calls one simulator with good headers unless told otherwise."""

    def __init__(self, calls: int | None = None, period: float = 61.0) -> None:
        self.clock = FakeClock()
        self.simulator = SafetyAmpSimulator(
            self.clock, key="key", fqdn="acme.safetyamp.com", calls=calls, period=period
        )
        self.seeded: Seeded = self.simulator.seed(SEED)

    def call(
        self, method: str, path: str, body: Any = None, query: dict[str, str] | None = None, **headers: str
    ) -> SimResponse:
        fields = {**GOOD_HEADERS, **{name.replace("_", "-"): value for name, value in headers.items()}}
        content = b"" if body is None else json.dumps(body).encode()
        return self.simulator.handle(SimRequest(method, path, query or {}, Headers(fields), content))

    def create(self, resource: str, **fields: Any) -> dict[str, Any]:
        answer = self.call("POST", f"/api/{resource}", fields)
        assert answer.status == 201, answer.body
        created: dict[str, Any] = answer.json()["data"]
        return created

    def user(self, **fields: Any) -> dict[str, Any]:
        number = len(self.simulator.calls)
        return {"first_name": "A", "last_name": "B", "email": f"u{number}@acme.com", **fields}


@pytest.fixture
def client() -> Client:
    return Client()


def errors_of(answer: SimResponse) -> dict[str, list[str]]:
    assert answer.status == 422, (answer.status, answer.body)
    errors: dict[str, list[str]] = answer.json()["errors"]
    return errors


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Authorization", "Bearer other", 401),
        ("Authorization", "", 401),
        ("Fqdn", "other.safetyamp.com", 403),
        ("User_Agent", "python-requests/2.32.0", 403),
        ("User_Agent", "", 403),
        ("Accept", "text/html", 400),
    ],
)
def test_refuses_calls_without_the_required_headers(
    client: Client, header: str, value: str, status: int
) -> None:
    assert client.call("GET", "/api/roles", None, None, **{header: value}).status == status


def test_refused_credentials_do_not_use_up_the_window() -> None:
    client = Client(calls=1)
    client.call("GET", "/api/roles", Authorization="Bearer other")
    assert client.call("GET", "/api/roles").status == 200


def test_clusters_are_an_unpaged_tree_with_paths_and_depths(client: Client) -> None:
    north = client.seeded.region_ids["North"]
    client.create("site_clusters", name="07 - Works", parent_cluster_id=north, osha_establishment=0)
    [root] = client.call("GET", "/api/site_clusters").json()["data"]
    assert (root["path"], root["depth"], root["external_code"]) == ("/", 0, None)
    region = root["children"][0]
    assert (region["path"], region["depth"], region["external_code"]) == (f"/{root['id']}/", 1, None)
    [department] = region["children"]
    assert (department["path"], department["depth"]) == (f"/{root['id']}/{north}/", 2)


def test_a_root_cluster_cannot_be_created(client: Client) -> None:
    answer = client.call("POST", "/api/site_clusters", {"name": "Root 2", "osha_establishment": 0})
    assert list(errors_of(answer)) == ["parent_cluster_id"]


def test_a_cluster_update_with_the_parent_alone_names_all_that_is_missing(client: Client) -> None:
    north, south = client.seeded.region_ids.values()
    answer = client.call("PUT", f"/api/site_clusters/{south}", {"parent_cluster_id": client.seeded.root_id})
    assert set(errors_of(answer)) == {"name", "osha_establishment"}
    assert answer.json()["message"].endswith("(and 1 more error)")
    body = {"name": "North", "osha_establishment": 0, "parent_cluster_id": north}
    assert list(errors_of(client.call("PUT", f"/api/site_clusters/{north}", body))) == ["parent_cluster_id"]


def test_lists_are_cut_into_pages_of_25_counted_from_0(client: Client) -> None:
    for number in range(60):
        client.create("user_titles", name=f"Title {number}")

    def names(page: int, limit: int) -> list[str]:
        answer = client.call("GET", "/api/user_titles", query={"page": str(page), "limit": str(limit)})
        return [title["name"] for title in answer.json()["data"]]

    assert names(0, 25) == [f"Title {number}" for number in range(25)]
    assert names(2, 25) == [f"Title {number}" for number in range(50, 60)]
    assert names(3, 25) == []
    assert len(names(0, 500)) == 25
    assert len(client.call("GET", "/api/user_titles").json()["data"]) == 25


def test_a_page_without_limit_is_the_recorded_400(client: Client) -> None:
    answer = client.call("GET", "/api/users", query={"page": "0"})
    assert answer.status == 400
    assert answer.json() == {"message": "Bad Request: A limit is required when using page."}


def test_user_ids_are_5_character_hashes_and_others_integers(client: Client) -> None:
    users = [client.create("users", **client.user()) for _ in range(50)]
    assert all(len(user["id"]) == 5 and user["id"].isalnum() for user in users)
    assert len({user["id"] for user in users}) == 50
    assert isinstance(client.create("user_titles", name="Foreman")["id"], int)


def test_a_new_user_comes_back_with_nested_objects_and_booleans(client: Client) -> None:
    title = client.create("user_titles", name="Foreman")
    office = client.seeded.office_ids["South"]
    role = client.seeded.role_ids["Supervisor"]
    user = client.create(
        "users",
        **client.user(
            home_site_id=office,
            current_title_id=title["id"],
            roles=[{"id": role}],
            sites=[{"id": office}],
            system_access=1,
            text_opt_out=1,
            nothing_known="ignored",
        ),
    )
    assert user["home_site"]["name"] == "South Office"
    assert isinstance(user["home_site"]["created_by"], int)
    assert user["current_title"] == {"id": title["id"], "name": "Foreman"}
    assert [entry["name"] for entry in user["roles"]] == ["Supervisor"]
    assert [site["id"] for site in user["sites"]] == [office]
    assert (user["system_access"], user["text_opt_out"]) == (True, 1)
    assert "nothing_known" not in user
    assert client.call("GET", f"/api/users/{user['id']}").json()["data"] == user


def test_a_user_without_role_gets_the_default_one_and_no_access(client: Client) -> None:
    user = client.create("users", **client.user())
    assert [role["name"] for role in user["roles"]] == ["Field"]
    assert user["system_access"] is False


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        ({"gender": "M"}, "gender", "The selected gender is invalid."),
        ({"gender": 2}, "gender", "The selected gender is invalid."),
        ({"mobile_phone": "225-555-0100"}, "mobile_phone", "validation.phone"),
        ({"work_phone": "+0123456789"}, "work_phone", "validation.phone"),
        (
            {"date_of_birth": "01/02/1990"},
            "date_of_birth",
            "The date of birth does not match the format Y-m-d.",
        ),
        (
            {"current_hire_date": "2024-02-30"},
            "current_hire_date",
            "The current hire date does not match the format Y-m-d.",
        ),
        ({"state": "LA "}, "state", "The state must be 2 characters."),
        ({"country": "USA"}, "country", "The country must be 2 characters."),
        ({"email": "a b@acme.com"}, "email", "The email must be a valid email address."),
        ({"email": ""}, "email", "The email field is required."),
        ({"first_name": None}, "first_name", "The first name field is required."),
        ({"emp_id": 10027}, "emp_id", "The emp id must be a string."),
        ({"home_site_id": 9}, "home_site_id", "The selected home site id is invalid."),
        ({"current_title_id": 9}, "current_title_id", "The selected current title id is invalid."),
        ({"roles": [{"id": 99}]}, "roles", "The selected roles is invalid."),
        ({"system_access": "yes"}, "system_access", "The system access field must be true or false."),
        ({"timezone": "Central"}, "timezone", "The timezone must be a valid zone."),
    ],
)
def test_a_user_field_of_the_wrong_form_is_422(
    client: Client, fields: dict[str, Any], field: str, text: str
) -> None:
    answer = client.call("POST", "/api/users", client.user(**fields))
    assert errors_of(answer) == {field: [text]}
    assert client.simulator.created == {}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_every_user_update_must_repeat_names_and_email(client: Client, method: str) -> None:
    user = client.create("users", **client.user())
    path = f"/api/users/{user['id']}"
    assert set(errors_of(client.call(method, path, {"city": "Houma"}))) == {
        "first_name",
        "last_name",
        "email",
    }
    core = {name: user[name] for name in ("first_name", "last_name", "email")}
    answer = client.call(method, path, {**core, "city": "Houma"})
    assert (answer.status, answer.json()["data"]["city"]) == (200, "Houma")


def test_email_and_mobile_phone_are_unique_but_work_phone_and_emp_id_are_not(client: Client) -> None:
    first = client.user(
        email="same@acme.com", mobile_phone="+12255550100", work_phone="+12255550100", emp_id="1"
    )
    client.create("users", **first)
    errors = errors_of(client.call("POST", "/api/users", {**first, "email": "SAME@acme.com"}))
    assert errors == {
        "email": ["The email has already been taken."],
        "mobile_phone": ["The mobile phone has already been taken."],
    }
    client.create("users", **{**first, "email": "other@acme.com", "mobile_phone": None})


def test_a_unique_value_is_free_again_when_its_holder_changed(client: Client) -> None:
    first = client.create("users", **client.user(email="a@acme.com"))
    body = {"first_name": "A", "last_name": "B", "email": "b@acme.com"}
    assert client.call("PATCH", f"/api/users/{first['id']}", body).status == 200
    assert client.call("PATCH", f"/api/users/{first['id']}", body).status == 200
    client.create("users", **client.user(email="a@acme.com"))
    assert list(errors_of(client.call("POST", "/api/users", client.user(email="b@acme.com")))) == ["email"]


def test_site_and_cluster_codes_are_unique_but_titles_are_not(client: Client) -> None:
    root, north = client.seeded.root_id, client.seeded.region_ids["North"]
    client.create("sites", **SITE, cluster_id=north)
    answer = client.call("POST", "/api/sites", {**SITE, "name": "Other", "cluster_id": north})
    assert errors_of(answer) == {"ext_id": ["The site code is already in use."]}
    cluster = {"name": "X", "parent_cluster_id": root, "osha_establishment": 0, "external_code": "South"}
    answer = client.call("POST", "/api/site_clusters", cluster)
    assert errors_of(answer) == {"external_code": ["The cluster code is already in use."]}
    client.create("user_titles", name="Foreman")
    client.create("user_titles", name="Foreman")
    assert client.simulator.created == {"sites": 1, "user_titles": 2}


def test_a_site_must_stand_in_an_existing_cluster(client: Client) -> None:
    assert list(errors_of(client.call("POST", "/api/sites", {**SITE, "cluster_id": 999}))) == ["cluster_id"]


def test_an_asset_type_must_belong_to_the_assets_site(client: Client) -> None:
    seeded = client.seeded
    asset = {"name": "Unit 1", "asset_type_id": seeded.vehicle_asset_type_id}
    created = client.create("assets", **asset, site_id=seeded.vehicle_site_id)
    assert created["asset_type"]["name"] == "Vehicle"
    answer = client.call("POST", "/api/assets", {**asset, "site_id": seeded.office_ids["North"]})
    assert list(errors_of(answer)) == ["asset_type_id"]
    answer = client.call("PUT", f"/api/assets/{created['id']}", {"name": "Unit 2"})
    assert set(errors_of(answer)) == {"site_id", "asset_type_id"}
    body = {**asset, "site_id": seeded.vehicle_site_id, "current_user_id": "zzzzz"}
    assert list(errors_of(client.call("PUT", f"/api/assets/{created['id']}", body))) == ["current_user_id"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/nothing", 404),
        ("GET", "/other", 404),
        ("PUT", "/api/user_titles/999999", 404),
        ("PATCH", "/api/users/zzzzz", 404),
        ("POST", "/api/roles", 405),
        ("PUT", "/api/users", 405),
        ("POST", "/api/users/zzzzz", 405),
        ("PATCH", "/api/assets/70001", 405),
        ("DELETE", "/api/users/zzzzz", 405),
        ("GET", "/api/users/zzzzz", 404),
        ("GET", "/api/assets/70001", 405),
        ("GET", "/api/sites/5101", 405),
    ],
)
def test_unknown_records_and_methods_have_their_status(
    client: Client, method: str, path: str, status: int
) -> None:
    assert client.call(method, path, {"name": "x"}).status == status


def test_one_user_can_be_asked_for_where_that_is_there() -> None:
    client = Client()
    client.simulator.seed(SEED)
    user = {"first_name": "Ann", "last_name": "Lee", "email": "ann@x.example"}
    made = json.loads(client.call("POST", "/api/users", user).body)["data"]
    path = f"/api/users/{made['id']}"
    assert json.loads(client.call("GET", path).body)["data"] == made
    client.simulator.reads_by_id = False
    assert client.call("GET", path).status == 405


def test_the_window_slides_exactly() -> None:
    client = Client(calls=2, period=61)
    assert client.call("GET", "/api/roles").status == 200
    client.clock.advance(30.5)
    answer = client.call("GET", "/api/roles")
    assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"]) == ("2", "0")
    refused = client.call("GET", "/api/roles")
    assert (refused.status, refused.json()) == (429, {"message": "Too Many Attempts."})
    assert refused.headers["Retry-After"] == "31"
    client.clock.advance(30.4)
    refused = client.call("GET", "/api/roles")
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    client.clock.advance(0.1)
    assert client.call("GET", "/api/roles").status == 200
    assert client.call("GET", "/api/roles").status == 429
    stats = client.simulator.stats()
    assert (stats["calls"], stats["throttled"], stats["peak_window"]) == (6, 3, 2)


def test_without_a_limit_the_greatest_window_is_still_measured() -> None:
    client = Client(calls=None, period=10)
    for _ in range(7):
        client.call("GET", "/api/roles")
        client.clock.advance(2.5)
    assert (client.simulator.peak_window, client.simulator.throttled) == (4, 0)


def test_a_planned_fault_replaces_the_matching_calls_and_writes_nothing(client: Client) -> None:
    client.simulator.fail_next(2, status=503, body="<html>", match="POST /api/user_titles")
    assert client.call("GET", "/api/roles").status == 200
    answers = [client.call("POST", "/api/user_titles", {"name": "Foreman"}) for _ in range(3)]
    assert [answer.status for answer in answers] == [503, 503, 201]
    assert client.simulator.created == {"user_titles": 1}


def test_the_records_of_one_resource_are_copies_of_those_of_the_snapshot(client: Client) -> None:
    client.create("users", **client.user())
    users = client.simulator.records("users")
    assert users == client.simulator.snapshot()["users"] != []
    users[0]["sites"].append(1)
    users[0]["email"] = None
    assert users != client.simulator.records("users") == client.simulator.snapshot()["users"]


def test_a_fault_after_the_write_hides_that_it_happened(client: Client) -> None:
    client.simulator.fail_next(status=500, after_write=True)
    assert client.call("POST", "/api/user_titles", {"name": "Foreman"}).status == 500
    client.simulator.fail_next(lose="connection", after_write=True)
    with pytest.raises(AnswerLost) as lost:
        client.call("POST", "/api/user_titles", {"name": "Welder"})
    assert lost.value.written
    assert [row["name"] for row in client.simulator.snapshot()["user_titles"]] == ["Foreman", "Welder"]
    assert [call.status for call in client.simulator.calls] == [500, 0]


def test_people_can_change_and_delete_records_past_the_api(client: Client) -> None:
    user = client.create("users", **client.user(system_access=1))
    client.simulator.edit("users", user["id"], system_access=False)
    assert client.call("GET", f"/api/users/{user['id']}").json()["data"]["system_access"] is False
    client.simulator.remove("users", user["id"])
    assert client.call("GET", f"/api/users/{user['id']}").status == 404
    client.create("users", **client.user(email=user["email"]))


def test_dumped_content_can_be_taken_up_again(client: Client) -> None:
    client.create("users", **client.user(email="a@acme.com"))
    dumped = json.loads(json.dumps(client.simulator.dump()))
    fresh = Client()
    fresh.simulator.load(dumped)
    assert fresh.simulator.snapshot() == client.simulator.snapshot()
    assert list(errors_of(fresh.call("POST", "/api/users", fresh.user(email="A@acme.com")))) == ["email"]
    fresh.create("users", **fresh.user(email="c@acme.com"))
    assert len({user["id"] for user in fresh.simulator.snapshot()["users"]}) == 2


def test_an_administrator_is_listed_with_every_site(client: Client) -> None:
    role = client.seeded.role_ids["Company Administrator"]
    user = client.create("users", **client.user(roles=[{"id": role}]))
    assert len(user["sites"]) == len(client.simulator.snapshot()["sites"]) == 3
