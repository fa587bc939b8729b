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
def test_checkouts_keep_no_credentials_and_actions_are_of_a_version(name: str) -> None:
    text = WORKFLOWS[name]
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")
    for action in re.findall(r"uses: (\S+)", text):
        assert action.startswith("./") or re.fullmatch(r"[\w-]+/[\w-]+@v\d+", action), action


@pytest.mark.parametrize("name", ["staging", "production"])
def test_environments_are_those_that_azure_trusts(name: str) -> None:
    """A federated credential is for one environment: another name would not be let in."""
    assert f"\n    environment: {name}\n" in "\n" + job("release", name)
    environments = read("modules/release.bicep").resource("environments")
    assert environments.loop is not None
    assert environments.loop.over == ["staging", "production"]
    subject = environments.body["properties"]["subject"]
    assert subject == "'${subjectPrefix}:environment:${name}'"


def test_pull_requests_may_only_ask() -> None:
    text = job("pull-request", "what-if")
    assert "vars.AZURE_VALIDATE_CLIENT_ID" in text
    assert "RELEASE_CLIENT_ID" not in text
    commands = re.findall(r"az deployment group ([\w-]+)", text)
    assert commands == ["validate", "what-if"]
    assert "head.repo.full_name == github.repository" in text
    assert "pull_request_target" not in WORKFLOWS["pull-request"]


def test_nothing_is_deployed_that_was_not_verified() -> None:
    assert "needs: verify" in job("release", "staging")
    assert "needs.verify.result == 'success'" in job("release", "production")
    for name in ("staging", "production"):
        assert "name: package" in job("release", name)


def test_releases_come_one_after_the_other() -> None:
    assert "concurrency:\n  group: release\n  cancel-in-progress: false" in WORKFLOWS["release"]


def test_the_package_is_built_by_the_python_that_runs_it() -> None:
    version = read("main.bicep").params["pythonVersion"][1]
    assert f'python-version: "{version}"' in job("verify", "package")
    assert f"runs on {version}" in (PROJECT / "infra" / "package").read_text()


def test_azd_provisions_and_leaves_slots_to_the_scripts() -> None:
    text = (PROJECT / "azure.yaml").read_text()
    assert "services:" not in text
    for script in re.findall(r"run: (infra/[\w-]+)", text):
        assert (PROJECT / script).is_file()
