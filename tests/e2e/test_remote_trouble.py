"""The command line when the app is away, locked, somebody else, or asked for what there is not."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.remote import client
from cli.remote.address import KEY_SETTING, URL_SETTING
from tests.e2e.http_rig import Api, api_for
from tests.e2e.remote_rig import KEY, Said, Terminal, answering, served_rig, terminal

__all__ = ["terminal"]

PLACES = "/?&=#+ %2F"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    api = api_for(tmp_path)
    yield api
    api.rig.close()


def not_done(said: Said, *texts: str) -> None:
    """One sentence and a hint on standard error, status 1, and no stack trace."""
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith("not done: ")
    assert "Traceback" not in said.err
    for text in texts:
        assert text in said.words


class TestAway:
    def test_nobody_listens(self, terminal: Terminal) -> None:
        with answering("") as url:
            pass
        not_done(terminal.at(url).types("status"), f"nothing answers at {url}", "safetyamp-sync up")
        said = terminal.types("status", "--json")
        assert (said.status, said.json["detail"]) == (1, f"nothing answers at {url}")

    def test_there_is_no_such_host(self, terminal: Terminal) -> None:
        said = terminal.types("status", "--url", "https://no.such.host.invalid")
        not_done(said, "nothing answers at https://no.such.host.invalid")

    def test_no_answer_comes(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client, "ANSWER_SECONDS", 0.05)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            not_done(terminal.at(url).types("failures"), "has not answered", "safetyamp-sync runs shows")

    def test_the_connection_is_not_safe(self, api: Api, terminal: Terminal) -> None:
        with served_rig(api) as url:
            not_done(terminal.types("status", "--url", url.replace("http:", "https:")), "certificate")


class TestKey:
    def test_none_or_a_wrong_one_is_told_and_never_shown(self, api: Api, terminal: Terminal) -> None:
        with served_rig(api) as url:
            not_done(terminal.at(url).types("status"), "wants a key", KEY_SETTING)
            said = terminal.types("status", "--function-key", "s3cret-wrong")
            not_done(said, "did not accept the key")
            assert "s3cret" not in said.err
            assert terminal.types("status", "--key", KEY).status == 0
            assert terminal.types("status", "--function-key", KEY).status == 0
            assert terminal.at(url, KEY).types("status").status == 0

    def test_is_read_from_the_settings_file_and_the_option_wins(self, api: Api, terminal: Terminal) -> None:
        with served_rig(api) as url:
            values = {URL_SETTING: url, KEY_SETTING: KEY}
            Path("local.settings.json").write_text(json.dumps({"Values": values}))
            assert terminal.types("status").status == 0
            assert terminal.types("status", "--function-key", "another").status == 1

    @pytest.mark.parametrize("key", ["line\nbreak", "schlüssel", "tab\tin"])
    def test_one_that_no_header_takes_is_a_wrong_setting(self, terminal: Terminal, key: str) -> None:
        said = terminal.types("status", "--function-key", key)
        assert said.status == 2
        assert "the function key: has characters that no key has" in said.err
        assert key not in said.err

    @pytest.mark.parametrize(
        "words",
        [
            ("sync", "employees", "--record", KEY),
            ("explain", "employees", KEY),
            ("explain", "jobs", "aB-_" * 13 + "=="),
        ],
    )
    def test_is_not_sent_as_a_records_key(self, terminal: Terminal, words: tuple[str, ...]) -> None:
        said = terminal.at("http://127.0.0.1:1", KEY).types(*words)
        assert said.status == 2
        assert "must be a record's key here" in said.err
        assert words[-1] not in said.err

    def test_is_not_taken_along_to_another_place(self, terminal: Terminal) -> None:
        with answering("", 302, headers={"Location": "https://login.example/"}) as url:
            not_done(terminal.at(url, KEY).types("status"), "is not SafetyAmp Sync", "status 302")

    def test_over_plain_http_to_another_machine_is_warned_of(self, terminal: Terminal) -> None:
        said = terminal.at("http://no.such.host.invalid", KEY).types("status")
        assert "the key goes over the network unencrypted" in said.err


class TestSomebodyElse:
    @pytest.mark.parametrize(
        ("body", "status", "kind"),
        [
            ("<html>Welcome</html>", 200, "text/html"),
            ("", 200, "text/plain"),
            ("{}", 200, "application/json"),
            ("[1]", 200, "application/json"),
            ("[" * 100_000, 200, "application/json"),
            ('{"error": "no such thing"}', 404, "application/json"),
            ("Not Found", 404, "text/plain"),
        ],
    )
    def test_answers(self, terminal: Terminal, body: str, status: int, kind: str) -> None:
        with answering(body, status, kind) as url:
            for words in (["status"], ["explain", "employees", "1"], ["sync", "all"], ["status", "--json"]):
                said = terminal.at(url).types(*words)
                assert said.status == 1
                assert "is not SafetyAmp Sync" in (said.json["detail"] if said.out else said.words)
                assert "<html>" not in said.out + said.err

    @pytest.mark.parametrize(("status", "text"), [(503, "answered 503"), (502, "answered 502"), (403, "403")])
    def test_stands_before_the_app(self, terminal: Terminal, status: int, text: str) -> None:
        with answering("<html>Azure</html>", status) as url:
            not_done(terminal.at(url).types("status"), text)

    def test_is_the_app_in_another_version(self, terminal: Terminal) -> None:
        body = '{"at": "now", "dependencies": [1], "last_runs": [], "new": true}'
        with answering(body, kind="application/json") as url:
            not_done(terminal.at(url).types("status"), "in another form than this command knows")
            said = terminal.types("status", "--json")
            assert (said.status, said.out.strip()) == (0, body)

    def test_says_what_would_move_the_cursor(self, terminal: Terminal) -> None:
        problem = json.dumps({"title": "T", "detail": "\x1b[2J[red]no", "hint": "\x07"})
        with answering(problem, 400, "application/problem+json") as url:
            said = terminal.at(url).types("status")
            not_done(said, "[2J[red]no")
            assert not any(char in said.err for char in "\x1b\x07")


class TestBadInput:
    @pytest.fixture(autouse=True)
    def address(self, api: Api, terminal: Terminal) -> Iterator[None]:
        with served_rig(api) as url:
            terminal.at(url, KEY)
            yield

    @pytest.mark.parametrize("verb", ["runs", "changes", "approve", "cancel"])
    @pytest.mark.parametrize(
        ("run_id", "text"),
        [
            ("20260131-120000-0a1b2c", "there is no run 20260131-120000-0a1b2c"),
            ("../status", "a run's id looks like"),
            ("20260131-120000-0a1b2c/../../status", "a run's id looks like"),
            ("", "a run's id looks like"),
        ],
    )
    def test_an_unknown_run(self, terminal: Terminal, verb: str, run_id: str, text: str) -> None:
        not_done(terminal.types(verb, run_id), text, "safetyamp-sync runs lists the runs that are kept.")

    @pytest.mark.parametrize("key", [PLACES, "x " * 101, "../../status", " ", "", "9999"])
    def test_an_unknown_key(self, terminal: Terminal, key: str) -> None:
        for words in (["explain", "employees", key], ["sync", "employees", "--record", key]):
            not_done(terminal.types(*words))

    @pytest.mark.parametrize(
        "words",
        [
            ["explain", "people", "1"],
            ["explain", "employees"],
            ["sync"],
            ["pause", "everything"],
            ["runs", "--limit", "many"],
            ["runs", "--phase", "odd"],
            ["status", "--ke", "x"],
            ["search"],
        ],
    )
    def test_a_wrong_command_is_status_2(self, terminal: Terminal, words: list[str]) -> None:
        said = terminal.types(*words)
        assert (said.status, said.err.startswith("usage: safetyamp-sync")) == (2, True)

    @pytest.mark.parametrize(
        ("words", "text"),
        [
            (["runs", "--limit", "0"], "limit must be a whole number from 1 to 100"),
            (["runs", "--cursor", "x"], "cursor must be"),
            (["sync", "all", "--record", "1"], "a key belongs to one entity"),
            (["search", ""], "text must be one line"),
            (["pause", "--reason", "two\nlines"], "the reason must be one line"),
        ],
    )
    def test_what_the_app_refuses_is_its_sentence(
        self, terminal: Terminal, words: list[str], text: str
    ) -> None:
        not_done(terminal.types(*words), text)
        assert terminal.types(*words, "--json").json["status"] == 400


@pytest.mark.parametrize(
    "url",
    [
        "app.example.com",
        "ftp://app.example.com",
        "http://",
        "http://[::1",
        "http://host:port",
        "https://user:s3cret@app.example.com",
        "https://app.example.com/api/status?code=s3cret",
        "https://app.example.com/#s3cret",
        "https://app.example.com/a b",
    ],
)
def test_an_address_that_is_none_is_a_wrong_setting_and_not_repeated(terminal: Terminal, url: str) -> None:
    said = terminal.types("status", "--url", url)
    assert (said.status, said.out) == (2, "")
    assert "--url: " in said.err
    assert "s3cret" not in said.err
    told = terminal.at(url).types("status", "--json")
    assert told.json["problems"][0]["setting"] == URL_SETTING


@pytest.mark.parametrize("rest", ["/", "/dashboard", "/api", "/api/"])
def test_an_address_from_the_browser_is_good_enough(api: Api, terminal: Terminal, rest: str) -> None:
    with served_rig(api, None) as url:
        assert terminal.types("failures", "--url", url + rest).status == 0
