"""`rules`: a file is checked, shown and tested without any system and without any password."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path

import pytest

from cli.arguments import Parser
from cli.main import main, parser
from shared.sync.rules.reading import default_text
from shared.version import PROGRAM

GOOD = """version = 1
[employees.fields]
mobile_phone = { from = ["CellPhone", "Phone"], owner = "safetyamp" }
[[employees.scope]]
name = "Crews"
all = [{ column = "PRGroup", in = ["1"], empty = true }]
[employees.actions]
reactivate = "hold"
[[expect]]
entity = "employees"
name = "a crane operator with two phones"
given = { CellPhone = "225-555-0100" }
then = { mobile_phone = "+12255550100" }
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Without settings, in a wide pipe."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path, text: str) -> str:
    (folder / "rules.toml").write_text(text, encoding="utf-8")
    return "rules.toml"


def of_files() -> dict[str, Parser]:
    """The parsers below `rules` that need no app, by name."""
    (outer,) = (one for one in parser()._actions if isinstance(one, argparse._SubParsersAction))
    rules = outer.choices["rules"]
    (inner,) = (one for one in rules._actions if isinstance(one, argparse._SubParsersAction))
    return {name: inner.choices[name] for name in ("check", "default", "schema", "show", "test")}


@pytest.mark.parametrize("name", of_files())
def test_the_help_of_each_part_ends_with_an_example_and_fits_into_80_columns(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = of_files()[name].format_help().splitlines()
    program, *words = shlex.split(lines[-1].removeprefix("example: ").partition(" > ")[0])
    assert (program, words[:2]) == (PROGRAM, ["rules", name])
    assert parser().parse_args(words).run is not None
    assert max(map(len, lines)) <= 80


def test_rules_alone_asks_which(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["rules"])
    assert ended.value.code == 2
    assert "which one? safetyamp-sync rules --help lists them" in capsys.readouterr().err


def test_a_good_file_is_said_to_be_good(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "check", written(folder, GOOD)]) == 0
    assert capsys.readouterr().out.startswith("rules.toml can be used: nothing is wrong with it\n")


def test_problems_stand_behind_file_and_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(folder, "version = 1\n[employees.fields]\nmobile_phone = { form = 'CellPhone' }\nx = 1\n")
    assert main(["rules", "check", file]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        'rules.toml:3: employees.fields.mobile_phone.form: there is no "form" here, did you mean "from"?'
    )
    assert lines[1].startswith("rules.toml:4: employees.fields.x: ")


def test_problems_as_json_have_line_and_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "check", written(folder, "version = 1\nx = 1\n"), "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["file"], told["problems"][0]["line"], told["problems"][0]["place"]) == ("rules.toml", 2, "x")


def test_a_file_that_is_not_there_is_said_to_be_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "check", "rules.toml"]) == 2
    assert "FILE: rules.toml cannot be read (No such file or directory)" in capsys.readouterr().err


def test_show_tells_the_file_in_plain_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "show", written(folder, GOOD)]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for wanted in (
        "mobile_phone │ CellPhone, else Phone │ SafetyAmp's, once filled │ stays",
        '- In scope as "Crews": PRGroup is 1 or is empty.',
        "- All other employees are left as they are.",
        "- reactivate: held until somebody approves, however few they are.",
    ):
        assert wanted in lines


def test_show_without_a_file_tells_the_default_with_the_settings_that_are_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISTA_TITLE_COLUMN", "udJobTitle")
    assert main(["rules", "show"]) == 0
    assert "- The title is in the column udJobTitle." in capsys.readouterr().out


def test_without_a_name_the_file_that_counts_here_is_meant(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["rules", "test"]) == 2
    assert "FILE: name one: there is neither RULES_FILE nor rules.toml here" in capsys.readouterr().err
    written(folder, GOOD)
    assert main(["rules", "test"]) == 0
    assert main(["rules", "check"]) == 0
    assert main(["rules", "show"]) == 0
    assert "SafetyAmp's, once filled" in capsys.readouterr().out
    monkeypatch.setenv("RULES_FILE", "elsewhere.toml")
    assert main(["rules", "check"]) == 2
    assert "elsewhere.toml cannot be read" in capsys.readouterr().err


def test_rules_that_cannot_be_are_not_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "show", written(folder, "version = 1\nx = 1\n")]) == 2
    assert 'rules.toml: line 2, x: there is no "x" here' in capsys.readouterr().err


def test_expectations_are_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "test", written(folder, GOOD)]) == 0
    told, met, coming, *_ = capsys.readouterr().out.splitlines()
    assert (told, met) == ("✓ employees: a crane operator with two phones", "1 of 1 are met")
    assert coming.startswith("next: safetyamp-sync rules preview ")
    assert main(["rules", "test", written(folder, GOOD.replace('0100" }\n', '0111" }\n', 1))]) == 1
    assert capsys.readouterr().out.splitlines()[:2] == [
        "✗ employees: a crane operator with two phones",
        '    mobile_phone: wanted "+12255550100", got "+12255550111"',
    ]
    assert main(["rules", "test", "rules.toml", "--json"]) == 1
    (told,) = json.loads(capsys.readouterr().out)["expectations"]
    assert len(told["failures"]) == 1
    assert main(["rules", "test", written(folder, GOOD), "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["expectations"]
    assert told["failures"] == []


def test_a_file_that_expects_nothing_is_no_failure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "test", written(folder, "version = 1\n")]) == 0
    assert "expects nothing" in capsys.readouterr().out


def test_the_default_file_and_the_schema_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "default"]) == 0
    assert capsys.readouterr().out == default_text()
    assert main(["rules", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["required"] == ["version"]
