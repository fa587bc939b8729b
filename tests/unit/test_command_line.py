"""What can be typed: help with examples, near misses, how much is told, completion."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

import pytest

from cli.arguments import Parser
from cli.main import main, parser, wanted_level
from shared.version import FULL_VERSION, PROGRAM


def commands() -> dict[str, Parser]:
    """Every command's parser, by name."""
    (found,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    return dict(found.choices)


NAMES = sorted(commands())


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without settings, at a terminal of 80 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOG_LEVEL", raising=False)
    monkeypatch.setenv("COLUMNS", "80")


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The last line of what is said of words that cannot be."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_a_command_ends_with_an_example_that_can_be_typed(name: str) -> None:
    last = commands()[name].format_help().splitlines()[-1]
    program, *words = shlex.split(last.removeprefix("example: "))
    assert (program, words[0]) == (PROGRAM, name)
    assert parser().parse_args(words).run is not None


@pytest.mark.parametrize("name", ["", *NAMES])
def test_help_fits_into_80_columns_and_names_the_program(name: str) -> None:
    text = (commands()[name] if name else parser()).format_help()
    assert text.startswith(f"usage: {PROGRAM}")
    assert max(len(line) for line in text.splitlines()) <= 80


def test_the_version_is_the_one_that_health_tells(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"{PROGRAM} {FULL_VERSION}\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["stauts"], "there is no command 'stauts', did you mean status?"),
        (["xyzzy"], f"there is no command 'xyzzy' ({PROGRAM} --help lists all)"),
        (["once", "--plann"], "there is no option --plann, did you mean --plan?"),
        (["once", "--pla"], "there is no option --pla, did you mean --plan?"),
        (["--versoin"], "there is no option --versoin, did you mean --version?"),
        (["status", "--clientid=x"], "there is no option --clientid, did you mean --client-id?"),
        (["status", "--qqq"], "there is no option --qqq"),
        (
            ["explain", "employes", "1"],
            "'employes' is none of departments, jobs, titles, employees, vehicles",
        ),
        (["explain", "employes", "1"], "did you mean employees?"),
        (["sync", "employees", "10029"], "'10029' is one word too many"),
        ([], f"which command? {PROGRAM} --help lists them"),
    ],
    ids=lambda found: " ".join(found) or "nothing" if isinstance(found, list) else "",
)
def test_what_cannot_be_typed_is_told_with_what_was_meant(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told in refused(capsys, *words)


def test_the_dashes_make_no_option_a_near_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "once", "--key", "3").endswith("there is no option --key")


def test_a_former_name_is_never_proposed(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--key" not in refused(capsys, "status", "--kei", "x")


@pytest.mark.parametrize(
    ("words", "former"),
    [
        (["sync", "employees", "--record", "1"], ["sync", "employees", "--key", "1"]),
        (["status", "--function-key", "1"], ["status", "--key", "1"]),
        (["up", "--function-key", "1"], ["up", "--key", "1"]),
        (["service-bus", "--shared-access-key", "1"], ["service-bus", "--key", "1"]),
    ],
    ids=lambda words: " ".join(words),
)
def test_former_names_of_options_go_on_working_and_are_in_no_help(
    words: list[str], former: list[str]
) -> None:
    ours = (vars(parser().parse_args(line)) for line in (words, former))
    now, then = ({name: value for name, value in found.items() if name != "parser"} for found in ours)
    assert now == then
    assert "--key" not in commands()[words[0]].format_help()


@pytest.mark.parametrize(
    ("words", "log_level", "level"),
    [
        ("once", "INFO", "WARNING"),
        ("once", "DEBUG", "DEBUG"),
        ("once -v", "INFO", "INFO"),
        ("once -v", "ERROR", "INFO"),
        ("once -v", "DEBUG", "DEBUG"),
        ("once -q", "DEBUG", "ERROR"),
        ("up", "INFO", "INFO"),
        ("up -q", "INFO", "ERROR"),
        ("status", "INFO", "ERROR"),
        ("status --verbose", "INFO", "INFO"),
    ],
)
def test_how_much_is_told(words: str, log_level: str, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", log_level)
    assert wanted_level(parser().parse_args(words.split())) == level


def test_quiet_and_verbose_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert "not allowed with argument" in refused(capsys, "once", "-q", "-v")


@pytest.mark.parametrize("shell", ["bash", "zsh", "powershell"])
def test_every_shell_gets_a_script_for_the_program(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert PROGRAM in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--folder", "--data"])
@pytest.mark.parametrize("name", ["a-file", "a-file/below", "x" * 300])
def test_folders_of_the_simulators_that_are_none_are_named(
    option: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a-file").write_text("")
    assert main(["simulators", "--port", "0", option, name]) == 2
    assert f"{option}: cannot be used" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "lacks"), [("--folder", "vista.db"), ("--data", ".csv")])
def test_a_folder_of_the_simulators_that_lacks_or_refuses_a_file_is_named(
    option: str, lacks: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder" / "vista.db").mkdir(parents=True)
    assert main(["simulators", "--port", "0", option, "folder"]) == 2
    assert f"{option}: cannot be used" in (said := capsys.readouterr().err)
    assert lacks in said
