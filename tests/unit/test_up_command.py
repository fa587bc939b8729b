"""`python -m local up` and its neighbours: options that cannot be, keys, ports in use."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from cli import local_commands
from cli.main import main
from cli.remote.address import KEY_SETTING
from local.host import up
from tests.unit.engine_rig import REQUIRED

UP = ("up", "--port", "0")


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(KEY_SETTING, raising=False)
    for name, value in {**REQUIRED, "LOCAL_FOLDER": str(tmp_path / "documents")}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, str | None]]:
    """What `up` would serve: address, port and key."""
    asked: list[tuple[str, int, str | None]] = []
    monkeypatch.setattr(local_commands, "LocalStack", lambda _: None)
    monkeypatch.setattr(up, "serve", lambda _stack, _console, *how: asked.append(how))
    return asked


def status_of(*words: str) -> Any:
    """The exit status, whoever decides it."""
    try:
        return main(words)
    except SystemExit as ended:
        return ended.code


@pytest.mark.parametrize(
    "words",
    [
        ("up", "--port", "99999"),
        ("up", "--port", "65536"),
        ("up", "--port", "-1"),
        ("up", "--port=-1"),
        ("up", "--port", "http"),
        ("up", "--port", ""),
        ("up", "--port", "7_071"),
        ("up", "--port", "٧٠٧١"),
        ("up", "--port", "9" * 5000),
        ("simulators", "--port", "70000"),
        ("simulators", "--login-port", "x"),
        ("simulators", "--calls", "0"),
        ("simulators", "--employees", "-5"),
        ("simulators", "--period", "inf"),
        ("simulators", "--period", "nan"),
        ("simulators", "--period", "0"),
        ("service-bus", "--port", "99999"),
        ("service-bus", "--lock-seconds", "1e400"),
        ("demo", "--employees", "0"),
    ],
)
def test_an_option_that_cannot_be_is_named(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(*words) == 2
    said = capsys.readouterr().err
    assert f"argument {words[1].partition('=')[0]}: " in said
    assert "Traceback" not in said


def test_a_port_of_another_program_ends_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert status_of("up", "--port", str(port)) == 2
    assert f"--port: {port} is in use by another program" in " ".join(capsys.readouterr().err.split())


def test_the_simulators_and_the_bus_tell_of_a_port_in_use_too(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert status_of("simulators", "--port", port, "--employees", "5") == 2
        assert status_of("simulators", "--port", "0", "--login-port", port, "--employees", "5") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"--port: {port} is in use" in said
    assert f"--login-port: {port} is in use" in said


@pytest.mark.parametrize("address", ["no.such.host.invalid", "192.0.2.1", "256.1.1.1"])
def test_an_address_of_another_machine_cannot_be_listened_on(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(*UP, "--host", address, "--function-key", "k") == 2
    assert f"--host: {address} is no address of this machine" in capsys.readouterr().err


def test_the_key_of_the_command_line_is_also_the_hosts(
    served: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_SETTING, " from-the-environment\n")
    assert status_of(*UP) == 0
    assert status_of(*UP, "--function-key", "from-the-option") == 0
    assert status_of(*UP, "--host", "0.0.0.0") == 0
    assert [key for _, _, key in served] == [
        "from-the-environment",
        "from-the-option",
        "from-the-environment",
    ]


@pytest.mark.parametrize("empty", ["", "  ", "\n"])
def test_an_empty_key_is_an_error_and_no_wish_to_be_open(
    empty: str, served: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(*UP, "--function-key", empty) == 2
    assert "--function-key: is empty" in capsys.readouterr().err
    monkeypatch.setenv(KEY_SETTING, empty)
    assert status_of(*UP) == 2
    assert f"{KEY_SETTING}: is empty" in capsys.readouterr().err
    assert served == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.5", "localhost", "::1"])
def test_without_a_key_loopback_may_be_served(host: str, served: list[Any]) -> None:
    assert status_of(*UP, "--host", host) == 0
    assert served == [(host, 0, None)]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.5", "localhost.elsewhere.example"])
def test_without_a_key_nothing_else_may(
    host: str, served: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(*UP, "--host", host) == 2
    assert "--function-key: is needed" in capsys.readouterr().err
    assert served == []
