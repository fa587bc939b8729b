"""local.settings.json: which values count, and what the example holds."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from cli.settings_file import BUS, local_environment
from shared.config import Settings, load_settings
from shared.errors import ConfigurationError
from tests.real_parts import PROJECT

EXAMPLE = json.loads((PROJECT / "local.settings.json.example").read_text())["Values"]

EMULATED = ("service_bus_connection", "azurewebjobsstorage")
"""Settings of the example that lead to the emulators of local/compose."""


@pytest.fixture(autouse=True)
def no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*EXAMPLE, "A_SETTING"):
        monkeypatch.delenv(name, raising=False)


def environment(folder: Path, **values: str) -> Mapping[str, str]:
    (folder / "local.settings.json").write_text(json.dumps({"Values": values}))
    return local_environment(folder)


def emulator(port: int) -> str:
    return f"Endpoint=sb://127.0.0.1:{port};SharedAccessKey=x;UseDevelopmentEmulator=true;"


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment(tmp_path, A_SETTING="of the file")["A_SETTING"] == "of the file"
    monkeypatch.setenv("A_SETTING", "of the environment")
    assert environment(tmp_path, A_SETTING="of the file")["A_SETTING"] == "of the environment"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ("[]", 'must be an object with an object "Values"'),
        ("null", 'must be an object with an object "Values"'),
        ('{"Values": null}', 'must be an object with an object "Values"'),
        ('{"Values": []}', 'must be an object with an object "Values"'),
        ('{"Values": "x"}', 'must be an object with an object "Values"'),
        ('{"Values": {"A_SETTING": 1}}', "values must be texts in quotes: A_SETTING"),
    ],
    ids=lambda text: text[:24],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "local.settings.json").write_text(text)
    with pytest.raises(ConfigurationError, match=rf"local\.settings\.json: {why}"):
        local_environment(tmp_path)


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "local.settings.json").mkdir()
    with pytest.raises(ConfigurationError, match=r"local\.settings\.json: cannot be read \("):
        local_environment(tmp_path)


def test_the_byte_order_mark_of_notepad_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "local.settings.json").write_text('{"Values": {"A_SETTING": "x"}}', "utf-8-sig")
    assert local_environment(tmp_path)["A_SETTING"] == "x"


def test_an_emulator_that_runs_is_used(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as running:
        connection = emulator(running.getsockname()[1])
        assert environment(tmp_path, **{BUS: connection})[BUS] == connection


def test_an_emulator_that_does_not_run_counts_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert BUS not in environment(tmp_path, **{BUS: emulator(9)})
    monkeypatch.setenv(BUS, emulator(9))
    assert environment(tmp_path, **{BUS: emulator(9)})[BUS] == emulator(9)


@pytest.mark.parametrize(
    "connection", ["Endpoint=sb://127.0.0.1:9;SharedAccessKey=x", emulator(9).replace(":9", ":x"), "nonsense"]
)
def test_anything_else_is_left_to_whoever_uses_it(tmp_path: Path, connection: str) -> None:
    assert environment(tmp_path, **{BUS: connection})[BUS] == connection


def test_the_example_lists_every_setting_with_its_default() -> None:
    """Apart from the settings with `__`, the other form of a connection."""
    listed = {name.lower() for name in EXAMPLE} - {"functions_worker_runtime"}
    assert listed == {name for name in Settings.model_fields if "__" not in name}
    required = {name.upper(): "x" for name, field in Settings.model_fields.items() if field.is_required()}
    from_example = load_settings({**EXAMPLE, **required}).model_dump(exclude=set(EMULATED))
    assert from_example == load_settings(required).model_dump(exclude=set(EMULATED))


def test_the_example_is_complete_but_for_what_only_you_know() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(EXAMPLE)
    assert {problem.setting for problem in caught.value.problems} == {
        "SAFETYAMP_TOKEN",
        "MS_GRAPH_TENANT_ID",
        "MS_GRAPH_CLIENT_ID",
        "MS_GRAPH_CLIENT_SECRET",
        "VISTA_CONNECTION_STRING",
    }
