"""Texts of the API at a terminal: harmless, with readable times, and calls as commands."""

from __future__ import annotations

import shlex

import pytest

from cli.console import inert
from cli.remote.address import Address, address_of
from cli.remote.words import command, plain, said, some, when
from shared.sync.suggestions import SUGGESTIONS
from shared.version import PROGRAM

NOW = "2026-03-02T12:00:00.150000+00:00"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë Müller-李 🚧 O'Hara [x]", "Zoë Müller-李 🚧 O'Hara [x]"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u2028b", "a\\u2028b"),
        ("\ud800", "\\ud800"),
    ],
)
def test_nothing_moves_the_cursor(text: str, shown: str) -> None:
    assert inert(text) == shown


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        ("2026-03-02T13:00:00+00:00", "2026-03-02 13:00 UTC (in 59 min)"),
        ("2026-03-02T07:00:00-06:00", "2026-03-02 13:00 UTC (in 59 min)"),
        ("2026-03-02T12:00:30Z", "2026-03-02 12:00 UTC (now)"),
        ("2026-03-02T09:00:00+00:00", "2026-03-02 09:00 UTC (3 h ago)"),
        ("2026-02-20T12:00:00+00:00", "2026-02-20 12:00 UTC (10 d ago)"),
        ("soon", "soon"),
        (None, "-"),
    ],
)
def test_a_time_tells_how_far_away_it_is(moment: str | None, shown: str) -> None:
    assert when(moment, NOW) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Next: it goes (2026-03-02T13:00:00+00:00).", "Next: it goes (2026-03-02 13:00 UTC)."),
        ("x. POST /api/resume/jobs ends that", f"x. {PROGRAM} resume jobs ends that"),
        (
            "GET /api/runs/20260131-120000-0a1b2c shows how it stands; or POST"
            " /api/runs/20260131-120000-0a1b2c/cancel.",
            f"{PROGRAM} runs 20260131-120000-0a1b2c shows how it stands; or {PROGRAM} cancel"
            " 20260131-120000-0a1b2c.",
        ),
        ("do it now: POST /api/sync/jobs?key=...", f"do it now: {PROGRAM} sync jobs --record KEY"),
        ("GET /ready and GET /api/status say so.", f"GET /ready and {PROGRAM} status say so."),
        ("GET /api/openapi.json describes every operation.", f"{PROGRAM} --help describes every operation."),
        ("Start a run instead: POST /api/sync/jobs.", f"Start a run instead: {PROGRAM} sync jobs."),
        ("GET /api/status, GET /api/runs/{id}/changes", f"{PROGRAM} status, GET /api/runs/{{id}}/changes"),
        ("it says GET /api/runsome", "it says GET /api/runsome"),
    ],
)
def test_calls_are_told_as_commands(text: str, shown: str) -> None:
    assert said(text).plain == shown


@pytest.mark.parametrize("text", SUGGESTIONS.values())
def test_no_advice_of_the_app_speaks_of_calls(text: str) -> None:
    assert "/api/" not in said(text).plain


def test_values_are_shown_as_what_they_are() -> None:
    values = [None, True, 0, {"entity": "jobs", "key": "300."}, [{"id": 3}], "[b]"]
    assert [plain(value).plain for value in values] == ["-", "yes", "0", "jobs 300.", "3", "[b]"]


def test_a_command_can_be_copied_into_a_shell() -> None:
    words = ["explain", "titles", "Foreman's; rm -rf $HOME"]
    assert shlex.split(command(*words)) == [*PROGRAM.split(), *words]


def test_of_many_some_are_told() -> None:
    assert some(["a", "b", "c"], 2) == "a, b and 1 more"
    assert some(["a", "b"], 2) == "a, b"


def test_an_address_never_tells_its_key() -> None:
    assert "s3cret" not in repr(address_of(None, "s3cret", None, {}))


@pytest.mark.parametrize(
    ("url", "is_here"),
    [
        ("http://127.0.0.1:7071", True),
        ("http://localhost", True),
        ("http://[::1]:7071", True),
        ("http://192.168.1.4", False),
        ("https://localhost.example.com", False),
    ],
)
def test_what_stays_on_this_machine_needs_no_encryption(url: str, is_here: bool) -> None:
    address = Address(url, "key")
    assert address.is_this_machine is is_here
    assert address.shows_secret is (not is_here and url.startswith("http:"))
