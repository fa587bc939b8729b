"""What the doctor says of Microsoft Graph: login, permission, and whether accounts have employee numbers."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from shared.doctor.graph import CONSENT, DEEP
from tests.doubles.scripted_upstream import Step
from tests.unit.doctor_rig import DoctorRig
from tests.unit.test_graph_client import FakeLogin, client

READS = ("User.Read.All",)


def jwt(*roles: str) -> str:
    """A token as Microsoft's are so far; its signature is nobody's."""
    claims = base64.urlsafe_b64encode(json.dumps({"roles": roles}).encode()).decode().rstrip("=")
    return f"e30.{claims}.5ecret"


def accounts(*numbers: Any, date: str | None = None) -> Step:
    users = [
        {"id": str(place), "employeeId": number, "mail": "ann@5ecret.test"}
        for place, number in enumerate(numbers)
    ]
    return 200, {"value": users}, {"Date": date} if date else {}


class Rig(DoctorRig):
    """An app whose Graph answers from a script, after a login that gives `token` or answers `login`."""

    def __init__(self, *steps: Step, token: str | None = None, login: Any = None) -> None:
        super().__init__()
        answer = login or {"access_token": token or jwt(*READS), "expires_in": 3599}
        graph, self.upstream = client(*steps, entra=FakeLogin(answer))
        self.put(graph=graph)


def test_a_graph_in_order_is_told_by_login_permission_and_accounts() -> None:
    found = Rig(accounts("10029", None, " ")).look(DEEP)
    assert {check: (finding.status, finding.seen) for check, finding in found.items()} == {
        "graph": ("ok", "Microsoft's login server gives the app a token"),
        "graph.permissions": ("ok", "the token reads only: User.Read.All"),
        "graph.users": ("ok", "users can be listed; 1 of the first 3 accounts have an employee number"),
    }


def test_one_page_of_accounts_is_read_however_many_there_are() -> None:
    link = "https://graph.test/v1.0/users?$skiptoken=a"
    rig = Rig((200, {"value": [{"id": "1", "employeeId": "7"}], "@odata.nextLink": link}))
    assert rig.look(DEEP)["graph.users"].status == "ok"
    assert len(rig.upstream.script.requests) == 1


@pytest.mark.parametrize("numbers", [(None, "", "  "), ()], ids=["none has one", "no account"])
def test_accounts_without_any_employee_number_are_noticed_with_what_happens_until_then(
    numbers: tuple[Any, ...],
) -> None:
    found = Rig(accounts(*numbers)).look(DEEP)["graph.users"]
    assert found.status == "warning"
    assert f"0 of the first {len(numbers)} accounts" in found.seen
    assert found.advice == "Fill in Employee ID in Entra ID; until then Vista's e-mail addresses are used"


def test_a_number_that_is_no_text_is_a_number() -> None:
    assert Rig(accounts(10029)).look(DEEP)["graph.users"].status == "ok"


@pytest.mark.parametrize("status", [401, 403])
def test_a_listing_that_is_refused_says_which_permission_is_missing_and_where_to_give_it(
    status: int,
) -> None:
    found = Rig((status, {"error": {"code": "5ecret"}})).look(DEEP)["graph.users"]
    assert found.status == "failed"
    assert found.seen == f"users may not be listed: User.Read.All or its admin consent is missing ({status})"
    assert found.advice == CONSENT
    assert found.settings == ("MS_GRAPH_CLIENT_ID",)


@pytest.mark.parametrize(
    ("roles", "status", "told", "advice"),
    [
        (READS, "ok", "reads only: User.Read.All", ""),
        (("Mail.Read", *READS), "ok", "reads only: Mail.Read, User.Read.All", ""),
        (
            (*READS, "User.ReadWrite.All", "Directory.ReadWrite.All"),
            "warning",
            "the app may write in the tenant: Directory.ReadWrite.All, User.ReadWrite.All",
            "Remove these: User.Read.All is enough",
        ),
        (("Mail.Read",), "warning", "the token has Mail.Read, not User.Read.All", CONSENT),
        ((), "warning", "the token has no permission, not User.Read.All", CONSENT),
    ],
)
def test_the_token_should_read_users_and_write_nothing(
    roles: tuple[str, ...], status: str, told: str, advice: str
) -> None:
    found = Rig(accounts("1"), token=jwt(*roles)).look(DEEP)["graph.permissions"]
    assert (found.status, told in found.seen, found.advice) == (status, True, advice)


def test_a_token_that_shows_nothing_is_no_fault() -> None:
    found = Rig(accounts("1"), token="opaque-5ecret").look(DEEP)
    assert found["graph.permissions"].status == "skipped"
    assert found["graph.users"].status == "ok"


def test_a_refused_login_names_the_setting_and_nothing_else_is_tried() -> None:
    refusal = {"error": "invalid_client", "error_description": "AADSTS7000222: 5ecret of ann@5ecret.test"}
    rig = Rig(accounts("1"), login=refusal)
    found = rig.only(DEEP)
    assert (found.check, found.status) == ("graph", "failed")
    assert "AADSTS7000222" in found.seen
    assert "MS_GRAPH_CLIENT_SECRET has expired" in found.seen
    assert found.advice == "Make a new secret in the app registration"
    assert "MS_GRAPH_CLIENT_SECRET" in found.settings
    assert rig.upstream.script.requests == []


def test_graph_away_after_a_login_that_worked_is_told_beside_it() -> None:
    found = Rig((503, "5ecret")).findings(DEEP)
    assert [(finding.check, finding.status) for finding in found] == [
        ("graph", "ok"),
        ("graph.permissions", "ok"),
        ("graph", "failed"),
    ]
    assert "503" in found[-1].seen
    assert found[-1].advice == (
        "Check that login.microsoftonline.com and graph.microsoft.com can be reached from here"
    )


@pytest.mark.parametrize(
    ("date", "status"),
    [
        ("Mon, 05 Jan 2026 12:00:30 GMT", "ok"),
        ("Mon, 05 Jan 2026 11:59:29 GMT", "warning"),
        ("Mon, 05 Jan 2026 12:05:00 GMT", "failed"),
        (None, None),
    ],
)
def test_its_clock_is_told_where_its_answers_have_a_date(date: str | None, status: str | None) -> None:
    found = Rig(accounts("1", date=date)).look(DEEP).get("graph.clock")
    assert (found.status if found else None) == status
