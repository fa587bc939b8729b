"""local.settings.json: which values count, and what the example holds."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from cli.main import main
from cli.settings_file import BUS, local_environment
from shared.config import Settings, load_settings
from shared.errors import ConfigurationError
from tests.real_parts import PROJECT
from tests.unit.engine_rig import REQUIRED

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


def test_the_mark_that_windows_puts_at_the_beginning_is_no_error(tmp_path: Path) -> None:
    content = json.dumps({"Values": {"A_SETTING": "Zoë"}})
    (tmp_path / "local.settings.json").write_bytes(b"\xef\xbb\xbf" + content.encode())
    assert local_environment(tmp_path)["A_SETTING"] == "Zoë"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (json.dumps({"Values": {}}).encode("utf-16"), "save it as UTF-8"),
        (b"", "is not valid JSON"),
        (b'{"Values": null}', 'must be an object with an object "Values"'),
        (b'{"Values": ["A_SETTING"]}', 'must be an object with an object "Values"'),
        (b"[" * 100_000, "is not valid JSON"),
        (None, "cannot be read (Is a directory)"),
    ],
    ids=["UTF-16", "empty", "null", "a list", "deep", "a folder"],
)
def test_a_file_that_is_none_is_named_with_what_to_do(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    path = tmp_path / "local.settings.json"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError) as error:
        local_environment(tmp_path)
    assert str(error.value.problems[0]).startswith("local.settings.json: ")
    assert told in str(error.value)


def test_a_wrong_value_of_the_file_is_told_to_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAX_PROCESSES", "y")
    environment(tmp_path, API_RATE_LIMIT_CALLS="x", MAX_PROCESSES="4")
    assert main(["once", "--plan"]) == 2
    lines = {line.split(":")[0].strip(): line for line in capsys.readouterr().err.splitlines()}
    assert lines["API_RATE_LIMIT_CALLS"].endswith(" (in local.settings.json)")
    assert "local.settings.json" not in lines["MAX_PROCESSES"]
    assert "local.settings.json" not in lines["SAFETYAMP_FQDN"]


@pytest.mark.parametrize("line", [None, ""], ids=["no line", "an empty line"])
def test_a_rules_toml_in_the_folder_is_the_file_of_rules(tmp_path: Path, line: str | None) -> None:
    values = {} if line is None else {"RULES_FILE": line}
    assert not environment(tmp_path, **values).get("RULES_FILE")
    (tmp_path / "rules.toml").write_text("version = 1")
    assert environment(tmp_path, **values)["RULES_FILE"] == str(tmp_path / "rules.toml")
    assert environment(tmp_path, RULES_FILE="other.toml")["RULES_FILE"] == "other.toml"


def test_an_empty_rules_file_in_the_environment_leaves_the_one_of_the_folder_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rules.toml").write_text("version = 1")
    monkeypatch.setenv("RULES_FILE", "")
    assert load_settings({**REQUIRED, **environment(tmp_path)}).rules_file is None
