"""Workflows: no secret, least rights, and a person's approval before production."""

from __future__ import annotations

import re

import pytest

from tests.real_parts import PROJECT
from tests.unit.infra.bicep import read

WORKFLOWS = {path.stem: path.read_text() for path in (PROJECT / ".github" / "workflows").glob("*.yml")}


def job(workflow: str, name: str) -> str:
    """The text of a job."""
    found = re.search(rf"^  {name}:\n((?:    .*\n|\n)+)", WORKFLOWS[workflow], re.MULTILINE)
    assert found is not None, f"{workflow} has no job {name}"
    return found[1]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_workflow_uses_a_stored_secret(name: str) -> None:
    assert "secrets." not in WORKFLOWS[name]
    assert "creds:" not in WORKFLOWS[name]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_rights_are_read_only_unless_a_job_says_otherwise(name: str) -> None:
    assert "\npermissions:\n  contents: read\n" in WORKFLOWS[name]
    assert "write-all" not in WORKFLOWS[name]
    granted = re.findall(r"([\w-]+): write", WORKFLOWS[name])
    assert set(granted) <= {"id-token"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_command_that_fails_in_a_pipe_fails_its_step(name: str) -> None:
    """`shell: bash` sets pipefail; without a word GitHub takes bash without it."""
    assert "\ndefaults:\n  run:\n    shell: bash\n" in WORKFLOWS[name]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_checkouts_keep_no_credentials(name: str) -> None:
    text = WORKFLOWS[name]
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")


def test_actions_are_pinned_to_a_commit_and_say_which_version_it_is() -> None:
    """A tag can be moved by whoever owns the action; the same one is the same commit everywhere."""
    pins: dict[str, set[str]] = {}
    for text in WORKFLOWS.values():
        for action, pin in re.findall(r"uses: ([^./\s][^@\s]*)@(.+)", text):
            assert re.fullmatch(r"[0-9a-f]{40} # v\d+\.\d+\.\d+", pin), f"{action}@{pin}"
            pins.setdefault(action, set()).add(pin)
    assert pins
    assert all(len(found) == 1 for found in pins.values()), pins


@pytest.mark.parametrize("name", ["staging", "production"])
def test_each_environment_is_for_main_and_signs_in_as_its_own_identity(name: str) -> None:
    """A federated credential is for one environment: another name would not be let in."""
    text = job("release", name)
    assert f"\n    environment: {name}\n" in "\n" + text
    assert "github.ref == 'refs/heads/main'" in text
    clients = set(re.findall(r"client-id: \$\{\{ vars\.(\w+)", text))
    assert clients == {f"AZURE_{name.upper()}_CLIENT_ID"}
    assert f"{name.upper()}_CLIENT_ID" in read("main.bicep").outputs


def steps(text: str) -> list[str]:
    """The steps of a job, each from its dash on."""
    return re.split(r"^      - ", text, flags=re.MULTILINE)[1:]


def test_the_sign_in_is_renewed_right_before_the_swap_and_before_going_back() -> None:
    """It lasts an hour, and what it was got with a few minutes."""
    found = steps(job("release", "production"))
    for command in ("--only canary", "--only swap", "infra/rollback --to"):
        (at,) = (number for number, step in enumerate(found) if command in step)
        logins = [number for number, step in enumerate(found[:at]) if "azure/login@" in step]
        between = found[logins[-1] + 1 : at]
        assert all("infra/packages" in step for step in between), command


def test_a_release_that_fails_or_is_cancelled_is_brought_back_by_a_step_of_its_own() -> None:
    text = job("release", "production")
    going_back = next(step for step in steps(text) if "id: again" in step)
    for step in ("canary", "change"):
        assert f"id: {step}" in text
        for outcome in ("failure", "cancelled"):
            assert f"steps.{step}.outcome == '{outcome}'" in going_back
    last = steps(text)[-1]
    assert "if: always() && steps.again.outcome == 'success'" in last
    assert "BEFORE: ${{ steps.before.outputs.package }}" in last
    assert 'infra/rollback --to "$BEFORE"' in last


def test_what_may_take_long_ends_before_its_sign_in_does() -> None:
    for step in steps(job("release", "production")):
        if "infra/release" in step:
            (minutes,) = re.findall(r"timeout-minutes: (\d+)", step)
            assert int(minutes) < 60


def test_pull_requests_may_only_ask() -> None:
    text = job("pull-request", "what-if")
    assert "vars.AZURE_VALIDATE_CLIENT_ID" in text
    assert "PRODUCTION_CLIENT_ID" not in text
    assert "STAGING_CLIENT_ID" not in text
    commands = re.findall(r"az deployment group ([\w-]+)", text)
    assert commands == ["validate", "what-if"]
    assert "head.repo.full_name == github.repository" in text
    assert "pull_request_target" not in WORKFLOWS["pull-request"]


def test_nothing_is_deployed_that_was_not_verified() -> None:
    assert "needs: verify" in job("release", "staging")
    assert "needs.verify.result == 'success'" in job("release", "production")
    for name in ("staging", "production"):
        assert "name: package" in job("release", name)
        assert re.findall(r"(\S+\.zip)", job("release", name)) == ["safetyamp-sync.zip"]
    assert "path: dist/safetyamp-sync.zip" in job("verify", "test")


def test_releases_come_one_after_the_other() -> None:
    assert "concurrency:\n  group: release\n  cancel-in-progress: false" in WORKFLOWS["release"]


def test_the_package_is_built_by_the_python_that_runs_it() -> None:
    version = read("modules/types.bicep").variables["pythonVersion"]
    (installed,) = re.findall(r"python-version: \|\n((?: +[\d.]+\n)+)", job("verify", "test"))
    assert version in installed.split()
    assert f"runs on {version}" in (PROJECT / "infra" / "package").read_text()


def test_every_variable_is_in_the_readme() -> None:
    named = {name for text in WORKFLOWS.values() for name in re.findall(r"vars\.(\w+)", text)}
    readme = (PROJECT / "infra" / "README.md").read_text()
    assert not {name for name in named if f"`{name}`" not in readme}


def test_azd_provisions_and_leaves_slots_to_the_scripts() -> None:
    text = (PROJECT / "azure.yaml").read_text()
    assert "services:" not in text
    for script in re.findall(r"run: (infra/[\w-]+)", text):
        assert (PROJECT / script).is_file()
