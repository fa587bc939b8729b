"""The API where people sign in: who may do what, who is believed, and what is kept of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

import function_app
from functions.access import DECLARED
from local.company.model import vista_date
from local.host.http import HttpHost
from shared.sync.documents.control import read_pauses
from shared.sync.documents.runs import RunRequest, get_run
from shared.sync.runs.requests import request_run
from tests.doubles.sign_in_front import ANA, COOKIE, EVERYBODY, IN_FRONT, OLGA, ROBOT, VERA, SignInFront
from tests.e2e.http_rig import Api, api_for, check
from tests.e2e.rig import START
from tests.e2e.small_company import FIRST_NUMBER
from tests.unit.test_sign_in import NEEDED

assert function_app.app, "what DECLARED holds is declared where it is imported"
KEY = "the-function-key"
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
RUN = "20260302-120000-0a1b2c"
RANK = {None: 0, "viewer": 1, "operator": 2, "approver": 3}
RANKS = {"nobody": 0, "vera": 1, "olga": 2, "robot": 2, "ana": 3}


class Caller:
    """Calls the app with a key on its host, through the stand-in of Azure's authentication, or past it."""

    def __init__(self, api: Api) -> None:
        self.api = api
        host = HttpHost(api.rig.stack.functions, api.rig.stack.options.route_prefix, KEY)
        self._front, self._behind = Client(SignInFront(host), use_cookies=False), Client(host)

    def by_token(self, who: str, method: str, path: str, **options: Any) -> TestResponse:
        """As a command line does."""
        return self._checked(method, path, {"Authorization": f"Bearer {who}"}, options)

    def by_cookie(self, who: str, method: str, path: str, **options: Any) -> TestResponse:
        """As a browser does."""
        return self._checked(method, path, {"Cookie": f"{COOKIE}={who}"}, options)

    def by_key(self, method: str, path: str, **options: Any) -> TestResponse:
        return self._checked(method, path, {"x-functions-key": KEY}, options)

    def outside(self, method: str, path: str, **options: Any) -> TestResponse:
        """Without anything of its own."""
        return self._front.open(path, method=method, **options)

    def past_the_front(self, method: str, path: str, **options: Any) -> TestResponse:
        """As if there were no authentication in front, or beside it."""
        return self._behind.open(path, method=method, **options)

    def _checked(self, method: str, path: str, own: dict[str, str], options: Any) -> TestResponse:
        headers = {**own, **options.pop("headers", {})}
        answer = self._front.open(path, method=method, headers=headers, **options)
        check(method, answer)
        return answer


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    api = api_for(tmp_path, GUARD_MAX_PERCENT="20", **IN_FRONT)
    api.rig.run()
    api.rig.clock.advance(60)
    yield Caller(api)
    api.rig.close()


@pytest.fixture(scope="module")
def anybody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """For who is let in at all, whatever became of what others asked before."""
    api = api_for(tmp_path_factory.mktemp("roles"), **IN_FRONT)
    yield Caller(api)
    api.rig.close()


def a_held_run(api: Api) -> str:
    for number in range(FIRST_NUMBER, FIRST_NUMBER + 3):
        api.rig.person(number)["TermDate"] = vista_date(START.date())
    api.rig.publish()
    ran = api.rig.run()
    assert ran.entity("employees")["phase"] == "held"
    return ran.run_id


PLACES = {"{entity}": "employees", "{key}": str(FIRST_NUMBER), "{run_id}": RUN, "{name}": "all"}


def place(route: str) -> str:
    for part, value in PLACES.items():
        route = route.replace(part, value)
    return route


class TestRoles:
    @pytest.mark.parametrize("who", RANKS)
    @pytest.mark.parametrize(("method", "route"), DECLARED, ids=lambda value: value)
    def test_each_route_lets_in_who_has_its_role_or_a_higher_one(
        self, anybody: Caller, method: str, route: str, who: str
    ) -> None:
        """What is let in fails here otherwise: the run is made up, Redis is away."""
        needed = NEEDED[DECLARED[method, route].name]  # type: ignore[index]
        body: dict[str, str] | None = {} if method == "POST" else None
        answer = anybody.by_token(who, method, f"/entra/{place(route)}", json=body)
        if RANKS[who] >= RANK[needed]:
            assert answer.status_code not in (401, 403), answer.text
            return
        assert answer.status_code == 403
        assert answer.json is not None
        assert answer.json["needed_role"] == needed
        assert f"the role {needed}" in answer.json["detail"]
        assert "Users and groups" in answer.json["hint"]

    @pytest.mark.parametrize(("method", "route"), DECLARED, ids=lambda value: value)
    def test_nobody_is_let_in_without_a_sign_in(self, anybody: Caller, method: str, route: str) -> None:
        answer = anybody.outside(method, f"/entra/{place(route)}", headers=OWN_PAGE)
        assert answer.status_code == 401
        assert answer.json is not None
        assert "/.auth/login/aad" in answer.json["hint"]

    def test_an_approver_approves_and_who_did_so_is_in_the_log(
        self, caller: Caller, caplog: pytest.LogCaptureFixture
    ) -> None:
        run_id = a_held_run(caller.api)
        path = f"/entra/api/runs/{run_id}/approve"
        with caplog.at_level(logging.INFO, "functions"):
            assert caller.by_token("olga", "POST", path).status_code == 403
            assert caller.by_token("ana", "POST", path).status_code == 202
        refused, allowed = (
            vars(line) for line in caplog.records if vars(line).get("event") == "operator_action"
        )
        assert (refused["allowed"], refused["who"], refused["levelname"]) == (
            False,
            OLGA.object_id,
            "WARNING",
        )
        expected = {"action": "approve_run", "allowed": True, "caller": "person", "who": ANA.object_id}
        expected |= {"who_name": ANA.name, "asked": {"run_id": run_id}}
        assert {name: allowed[name] for name in expected} == expected

    def test_reading_leaves_no_such_line(self, caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO, "functions"):
            caller.by_token("vera", "GET", "/entra/api/runs")
            caller.by_token("vera", "POST", "/entra/api/search", json={"text": "secret name"})
        assert not [line for line in caplog.records if "event" in vars(line)]

    def test_an_application_does_what_its_role_allows(
        self, caller: Caller, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO, "functions"):
            answer = caller.by_token("robot", "POST", "/entra/api/sync/all?mode=plan")
        assert answer.status_code == 202
        (line,) = (vars(found) for found in caplog.records if vars(found).get("event") == "operator_action")
        assert (line["caller"], line["who_name"]) == ("app", f"app:{ROBOT.app_id}")
        assert line["asked"] == {"entity": "all", "mode": "plan"}

    def test_where_to_go_on_is_a_route_of_people(self, caller: Caller) -> None:
        started = caller.by_token("olga", "POST", "/entra/api/sync/all?mode=plan")
        assert started.headers["Location"].startswith("/entra/api/runs/")
        assert caller.by_token("olga", "GET", started.headers["Location"]).status_code == 200
        run_id = str(started.json["run_id"]) if started.json else ""
        caller.api.rig.finish(run_id)
        first = next(run for run in caller.by_token("vera", "GET", "/entra/api/runs").json["runs"][::-1])  # type: ignore[index]
        page = caller.by_token("vera", "GET", f"/entra/api/runs/{first['run_id']}/changes?format=csv&limit=1")
        assert page.headers["Link"].startswith("</entra/api/runs/")

    def test_a_pause_is_by_whoever_has_signed_in_whatever_they_say(self, caller: Caller) -> None:
        body = {"entity": "jobs", "reason": "audit", "who": "Somebody Else"}
        assert caller.by_token("olga", "POST", "/entra/api/pause", json=body).status_code == 200
        assert read_pauses(caller.api.rig.documents)["jobs"].who == OLGA.name

    def test_everybody_may_ask_who_they_are(self, caller: Caller) -> None:
        told = caller.by_token("nobody", "GET", "/entra/api/me").json
        assert told is not None
        assert (told["name"], told["roles"], told["may"]) == ("nick@example.com", [], ["me"])
        told = caller.by_token("olga", "GET", "/entra/api/me").json
        assert told is not None
        assert (told["sign_in"], told["kind"], told["id"]) == ("entra", "person", OLGA.object_id)
        assert "sync" in told["may"]
        assert "approve_run" not in told["may"]


class TestKeys:
    def test_a_key_works_as_before_for_scripts_and_approves_nothing(self, caller: Caller) -> None:
        run_id = a_held_run(caller.api)
        assert caller.by_key("GET", "/api/status").status_code == 200
        assert caller.by_key("GET", "/metrics").status_code == 200
        refused = caller.by_key("POST", f"/api/runs/{run_id}/approve")
        assert (refused.status_code, refused.json and refused.json["needed_role"]) == (403, "approver")
        assert "--client-id" in str(refused.json)
        assert caller.by_key("POST", f"/api/runs/{run_id}/cancel").status_code == 202
        assert get_run(caller.api.rig.documents, run_id).entities["employees"].phase == "cancelled"

    def test_a_key_opens_no_route_of_people_and_people_none_of_a_key(self, caller: Caller) -> None:
        assert caller.by_key("GET", "/entra/api/status").status_code == 401
        assert caller.outside("GET", "/api/status", headers={"Cookie": f"{COOKIE}=ana"}).status_code == 401

    def test_of_a_key_and_a_person_the_key_counts_at_its_own_route(
        self, caller: Caller, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO, "functions"):
            answer = caller.by_cookie("ana", "POST", "/api/resume", headers={"x-functions-key": KEY}, json={})
        assert answer.status_code == 200
        (line,) = (vars(found) for found in caplog.records if vars(found).get("event") == "operator_action")
        assert (line["caller"], line["who"]) == ("key", None)
        told = caller.by_cookie("ana", "GET", "/entra/api/me", headers={"x-functions-key": KEY}).json
        assert told is not None
        assert told["name"] == ANA.name

    def test_the_log_has_no_key_and_no_endless_text(
        self, caller: Caller, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = f"/api/sync/employees?code={KEY}&mode=plan&key={'9' * 5000}"
        with caplog.at_level(logging.INFO, "functions"):
            caller.by_key("POST", path)
        (line,) = (vars(found) for found in caplog.records if vars(found).get("event") == "operator_action")
        assert line["asked"] == {"entity": "employees", "mode": "plan", "key": "9" * 200}

    def test_a_call_by_key_is_told_what_it_may(self, caller: Caller) -> None:
        told = caller.by_key("GET", "/api/me").json
        assert told is not None
        assert (told["kind"], told["id"], told["roles"]) == ("key", None, ["operator"])


class TestForgery:
    @pytest.mark.parametrize("change", [str, str.lower, str.title], ids=["same", "lower", "title"])
    def test_headers_of_an_outsider_are_not_believed(self, caller: Caller, change: Any) -> None:
        forged = {change(name): value for name, value in ANA.headers().items()}
        answer = caller.outside("GET", "/entra/api/status", headers=forged)
        assert answer.status_code == 401
        told = caller.by_token("vera", "GET", "/entra/api/me", headers=forged).json
        assert told is not None
        assert told["name"] == VERA.name

    @pytest.mark.parametrize("settings", [{}, {"WEBSITE_AUTH_ENABLED": "False"}, {"SIGN_IN_PROXY": "none"}])
    def test_where_nothing_stands_in_front_nobody_is_believed(
        self, tmp_path: Path, settings: dict[str, str]
    ) -> None:
        api = api_for(tmp_path, SIGN_IN="entra", **settings)
        caller = Caller(api)
        for who in (*EVERYBODY.values(), None):
            answer = caller.past_the_front("GET", "/entra/api/status", headers=who.headers() if who else {})
            assert answer.status_code == 503
            assert answer.json is not None
            assert "authentication" in answer.json["detail"]
        ready = caller.past_the_front("GET", "/ready")
        assert (ready.status_code, ready.json) == (
            503,
            {"status": "not ready", "missing": ["sign_in: SIGN_IN"]},
        )
        assert caller.by_key("GET", "/api/runs").status_code == 200
        api.rig.close()

    def test_with_it_in_front_the_app_is_ready(self, caller: Caller) -> None:
        assert caller.outside("GET", "/ready").status_code == 200
        names = [found["name"] for found in caller.by_key("GET", "/api/status").json["dependencies"]]  # type: ignore[index]
        assert "sign_in" in names

    def test_under_keys_nobody_signs_in_whatever_they_send(self, tmp_path: Path) -> None:
        api = api_for(tmp_path, WEBSITE_AUTH_ENABLED="True")
        caller = Caller(api)
        for (method, route), declared in DECLARED.items():
            answer = caller.past_the_front(method, f"/entra/{place(route)}", headers=ANA.headers())
            assert answer.status_code == 404, declared
            assert answer.json is not None
            assert "SIGN_IN is not entra" in answer.json["detail"]
        assert caller.by_key("POST", f"/api/runs/{RUN}/approve").status_code == 404  # unknown, not refused
        me = caller.by_key("GET", "/api/me").json
        assert me is not None
        assert (me["sign_in"], me["kind"], "approve_run" in me["may"]) == ("keys", "key", True)
        api.rig.close()

    def test_under_keys_no_line_says_who(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        api = api_for(tmp_path)
        with caplog.at_level(logging.INFO, "functions"):
            assert Caller(api).by_key("POST", "/api/resume", json={}).status_code == 200
        assert not [line for line in caplog.records if vars(line).get("event") == "operator_action"]
        api.rig.close()

    @pytest.mark.parametrize("header", ["%%%", "e30=", ""])
    def test_a_broken_header_is_a_401(self, caller: Caller, header: str) -> None:
        answer = caller.past_the_front("GET", "/entra/api/status", headers={"X-MS-CLIENT-PRINCIPAL": header})
        assert answer.status_code == 401
        assert answer.json is not None
        assert answer.json["title"] == "Not signed in"

    def test_two_headers_of_one_name_are_a_401(self, caller: Caller) -> None:
        two = [(name, value) for who in (VERA, ANA) for name, value in who.headers().items()]
        assert caller.past_the_front("GET", "/entra/api/status", headers=two).status_code == 401


class TestOtherPages:
    """A browser sends the cookie along with what any page asks."""

    PAUSE = "/entra/api/pause"

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "none"},
            {"Origin": "https://evil.example.com"},
            {"Origin": "null"},
            {"Origin": "http://localhost.evil.example.com"},
            {"Origin": "http://["},
            {"Origin": "http://user@localhost"},
            {"Origin": "ftp://localhost"},
            # What the browser says itself goes before an Origin that looks right.
            {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
            # Somebody on the way may answer http in the name of any host but this machine's.
            {"Origin": "http://app.example.com", "Host": "app.example.com"},
        ],
    )
    def test_change_nothing_with_it(self, caller: Caller, headers: dict[str, str]) -> None:
        answer = caller.by_cookie("olga", "POST", self.PAUSE, headers=headers, json={"reason": "x"})
        assert answer.status_code == 403
        assert answer.json is not None
        assert answer.json["title"] == "Another page asked"
        assert read_pauses(caller.api.rig.documents) == {}

    @pytest.mark.parametrize(
        "headers",
        [
            OWN_PAGE,
            {"Origin": "http://localhost"},
            {"Origin": "https://app.example.com", "Host": "app.example.com"},
        ],
    )
    def test_the_apps_own_page_does(self, caller: Caller, headers: dict[str, str]) -> None:
        answer = caller.by_cookie("olga", "POST", self.PAUSE, headers=headers, json={"reason": "x"})
        assert answer.status_code == 200

    def test_a_token_needs_no_page(self, caller: Caller) -> None:
        """No page can make a browser send one without being allowed to."""
        headers = {"Origin": "https://evil.example.com"}
        answer = caller.by_token("olga", "POST", self.PAUSE, headers=headers, json={"reason": "x"})
        assert answer.status_code == 200

    def test_only_a_token_needs_none(self, caller: Caller) -> None:
        """A browser keeps passwords, and sends them along."""
        headers = {"Authorization": "Basic eDp5", "Origin": "https://evil.example.com"}
        headers |= EVERYBODY["olga"].headers()
        answer = caller.past_the_front("POST", self.PAUSE, headers=headers, json={"reason": "x"})
        assert answer.status_code == 403

    def test_every_method_that_changes_something_is_looked_at(self, caller: Caller) -> None:
        for (method, route), declared in DECLARED.items():
            answer = caller.by_cookie("ana", method, f"/entra/{place(route)}")
            assert (answer.status_code == 403) is (method != "GET"), declared

    def test_reading_needs_no_page(self, caller: Caller) -> None:
        run = request_run(caller.api.rig.stack.runtime, RunRequest(mode="plan"))
        caller.api.rig.finish(run)
        report = caller.by_cookie("vera", "GET", f"/entra/api/runs/{run}/report")
        assert (report.status_code, report.mimetype) == (200, "text/html")
        assert "no-store" in report.headers["Cache-Control"]


def test_the_stand_in_signs_in_and_out(caller: Caller) -> None:
    front = SignInFront(HttpHost(caller.api.rig.stack.functions, "", None))
    browser = Client(front)
    assert browser.get("/.auth/me").status_code == 401
    answer = browser.get("/.auth/login/aad?post_login_redirect_uri=/dashboard")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/dashboard")
    assert browser.get("/.auth/me").json == [{"provider_name": "aad", "user_id": VERA.name}]
    assert browser.get("/entra/api/me", base_url="http://localhost").status_code == 200
    browser.get("/.auth/logout?post_logout_redirect_uri=/dashboard")
    assert browser.get("/.auth/me").status_code == 401
