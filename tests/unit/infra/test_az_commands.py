"""Every `az` command in scripts, workflows and documentation is one that Azure's own command line accepts."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path

from tests.real_parts import AZURE_CLI, required
from tests.unit.infra.az_commands import Command, calls, commands, in_markdown, in_shell
from tests.unit.infra.bicep import INFRA

PROGRAM = Path(__file__).parent / "az_arguments.py"
SCRIPTS = {path.name for path in INFRA.iterdir() if path.is_file() and path.suffix in ("", ".sh")}
LEFT_OUT = "the following arguments are required"
WRONG = {
    "functionapp lst -g x": "no such command",
    "functionapp list -g x --slot staging": "unrecognized arguments: --slot",
    "functionapp deployment slot swap -g x -n y": LEFT_OUT,
    "functionapp list -g x --query [?": "argument --query",
}


def complaints(lists: list[list[str]]) -> list[str | None]:
    """What the command line says to each list of words."""
    answer = subprocess.run(
        [required(AZURE_CLI), "-I", str(PROGRAM)],
        input=json.dumps(lists),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert answer.returncode == 0, answer.stderr
    found: list[str | None] = json.loads(answer.stdout)
    return found


@cache
def answers() -> dict[tuple[str, ...], str | None]:
    """Of every command of the project, as it is and in azd's subscription, and of those that are wrong."""
    lists = {tuple(one.given()) for one in commands()} | {tuple(line.split()) for line in WRONG}
    lists |= {(*one.given(), "--subscription", "s") for one in commands() if one.place in SCRIPTS}
    ordered = sorted(lists)
    return dict(zip(ordered, complaints([[*words] for words in ordered]), strict=True))


def refused(command: Command) -> str | None:
    said = answers()[tuple(command.given())]
    return None if said and command.mentioned and said.startswith(LEFT_OUT) else said


def test_every_command_is_accepted() -> None:
    wrong = [f"{one.place}: az {' '.join(one.words)}: {said}" for one in commands() if (said := refused(one))]
    assert not wrong, "\n".join(wrong)


def test_every_command_of_a_script_can_be_given_azds_subscription() -> None:
    for one in commands():
        if one.place in SCRIPTS and not one.mentioned:
            assert answers()[(*one.given(), "--subscription", "s")] is None, one


def test_what_the_command_line_does_not_know_is_found() -> None:
    for line, said in WRONG.items():
        assert said in str(answers()[tuple(line.split())]), line


def test_commands_are_found_wherever_they_stand() -> None:
    assert {one.place for one in commands()} >= {
        "deploy",
        "lib.sh",
        "README.md",
        "runbook.md",
        "pull-request.yml",
        "example.bicepparam",
        "first-release",
    }
    script = """
where=()
where=(--slot "$1")
# az comment
found="$(az a list --name "$(b c)" ${where[@]+"${where[@]}"} \\
  --query "[?x=='a b']" | sort)" || fail "say az d e --f $G"
echo "$(az h --i "$1")"
"""
    assert [one.words for one in in_shell(Path("x"), script)] == [
        ("a", "list", "--name", "$(b c)", "--slot", '"$1"', "--query", "[?x=='a b']"),
        ("h", "--i", "$1"),
        ("d", "e", "--f", "$G"),
    ]
    page = "Give `az a\nb # not this`, or:\n```\nX=$(az c -o tsv)\naz d 'e f'\n```\nand az g.\n"
    assert [one.words for one in in_markdown(Path("x"), page)] == [
        ("c", "-o", "tsv"),
        ("d", "e f"),
        ("a", "b"),
    ]


def test_a_command_that_is_only_mentioned_may_lack_arguments() -> None:
    full, elided, bare = (next(calls("x", f"az {text}")) for text in ("a b -g c", "a b ... --d", "a b"))
    assert not full.mentioned
    assert elided.mentioned
    assert bare.mentioned
