"""The command line where people sign in: the token of `az login`, and what is said when there is none."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.remote.address import CLIENT_SETTING, KEY_SETTING
from local.host.http import HttpHost
from shared.sync.documents.control import read_pauses
from tests.doubles.sign_in_front import IN_FRONT, OLGA, SignInFront
from tests.e2e.http_rig import Api, api_for
from tests.e2e.remote_rig import KEY, Terminal, served, terminal

__all__ = ["terminal"]

CLIENT_ID = "11111111-2222-4333-8444-555555555555"
FAKE_AZ = """#!/bin/sh
printf '%s\\n' "$*" >> "{calls}"
cat "{answer}"
cat "{said}" >&2
exit {status}
"""


class FakeAz:
    """An `az` that signs in whom it is told to, or says what the real one would."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.calls = folder / "calls"
        self.signs_in("olga")

    def signs_in(self, who: str) -> None:
        token = {"accessToken": who, "expiresOn": "2099-01-01 00:00:00.000000", "expires_on": 4070908800}
        self._write(json.dumps({**token, "tokenType": "Bearer"}), "", 0)

    def says(self, text: str) -> None:
        self._write("", text, 1)

    def _write(self, answer: str, said: str, status: int) -> None:
        files = {name: self._folder / name for name in ("answer", "said")}
        files["answer"].write_text(answer)
        files["said"].write_text(said)
        program = self._folder / "az"
        program.write_text(FAKE_AZ.format(calls=self.calls, status=status, **files))
        program.chmod(0o700)


@pytest.fixture
def az(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> FakeAz:
    folder = tmp_path_factory.mktemp("az")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return FakeAz(folder)


@pytest.fixture
def api(tmp_path: Path, terminal: Terminal, az: FakeAz) -> Iterator[Api]:
    """Behind the stand-in; the terminal knows the address and the registration."""
    api = api_for(tmp_path, **IN_FRONT)
    front = SignInFront(HttpHost(api.rig.stack.functions, api.rig.stack.options.route_prefix, KEY))
    with served(front) as url:
        terminal.at(url)
        terminal.monkeypatch.setenv(CLIENT_SETTING, CLIENT_ID)
        yield api
    api.rig.close()


def test_whoever_az_login_has_signed_in_asks_and_acts(api: Api, terminal: Terminal, az: FakeAz) -> None:
    assert terminal.types("runs").status == 0
    said = terminal.types("pause", "jobs", "--reason", "audit")
    assert said.status == 0
    assert read_pauses(api.rig.documents)["jobs"].who == OLGA.name
    resource = f"--resource api://{CLIENT_ID}"
    assert all(resource in call for call in az.calls.read_text().splitlines())


def test_an_option_names_the_registration_too(api: Api, terminal: Terminal) -> None:
    terminal.monkeypatch.delenv(CLIENT_SETTING)
    assert terminal.types("runs").status == 1
    assert terminal.types("runs", "--client-id", f"api://{CLIENT_ID}").status == 0


def test_a_role_that_is_missing_is_named(api: Api, terminal: Terminal, az: FakeAz) -> None:
    az.signs_in("vera")
    said = terminal.types("pause", "jobs")
    assert said.status == 1
    assert "needs the role operator; vera@example.com has viewer" in said.words
    assert "Users and groups" in said.words


def test_a_key_that_is_given_goes_before_a_registration_of_the_environment(
    api: Api, terminal: Terminal, az: FakeAz
) -> None:
    assert terminal.types("runs", "--function-key", KEY).status == 0
    assert not az.calls.exists()
    terminal.monkeypatch.setenv(KEY_SETTING, "another")
    assert terminal.types("runs").status == 0
    assert az.calls.exists()


def test_a_key_cannot_approve_and_the_way_to_sign_in_is_named(api: Api, terminal: Terminal) -> None:
    said = terminal.types("approve", "20260302-120000-0a1b2c", "--function-key", KEY)
    assert said.status == 1
    assert "needs the role approver" in said.words
    assert "--client-id" in said.words


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ERROR: Please run 'az login' to setup account.", f"az login --scope api://{CLIENT_ID}/.default"),
        ("ERROR: AADSTS700082: The refresh token has expired. az login", "az login --scope"),
        ("ERROR: AADSTS65001: The user has not consented ... trace id", "authorized client application"),
        ("ERROR: AADSTS650057: Invalid resource.", "authorized client application"),
        (
            "ERROR: AADSTS500011: The resource principal named api://x was not found",
            "knows no app registration",
        ),
        ("ERROR: AADSTS50105: The signed in user is not assigned to a role", "Users and groups"),
    ],
)
def test_what_az_complains_about_becomes_what_to_do(
    api: Api, terminal: Terminal, az: FakeAz, text: str, told: str
) -> None:
    az.says(text)
    said = terminal.types("runs")
    assert said.status == 1
    assert told in said.words
    assert "AADSTS" not in said.words


def test_without_the_azure_cli_it_is_named(api: Api, terminal: Terminal) -> None:
    terminal.monkeypatch.setenv("PATH", "/nowhere")
    said = terminal.types("runs")
    assert said.status == 1
    assert "the Azure CLI is not installed" in said.words


def test_a_token_that_is_not_taken_names_the_registration(api: Api, terminal: Terminal, az: FakeAz) -> None:
    """Azure's authentication answers itself then, and does not say why."""
    az.signs_in("a-stranger")
    said = terminal.types("runs")
    assert said.status == 1
    assert "did not accept the sign-in (status 401)" in said.words
    assert CLIENT_SETTING in said.words
    assert "a-stranger" not in said.words


def test_where_nobody_signs_in_the_key_is_named(tmp_path: Path, terminal: Terminal, az: FakeAz) -> None:
    api = api_for(tmp_path)
    with served(HttpHost(api.rig.stack.functions, "", KEY)) as url:
        said = terminal.at(url).types("runs", "--client-id", CLIENT_ID)
    assert said.status == 1
    assert "SIGN_IN is not entra" in said.words
    api.rig.close()


def test_what_is_no_client_id_is_refused_before_anything_is_sent(terminal: Terminal, az: FakeAz) -> None:
    said = terminal.types("runs", "--client-id", "my-app")
    assert said.status == 2
    assert "--client-id" in said.words
    assert not az.calls.exists()


def test_a_token_over_an_open_network_is_warned_of(terminal: Terminal, az: FakeAz) -> None:
    said = terminal.types("runs", "--url", "http://sync.invalid", "--client-id", CLIENT_ID)
    assert "unencrypted" in said.words
