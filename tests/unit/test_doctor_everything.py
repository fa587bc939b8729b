"""All checks in one call: their order, their time, and what is left out while settings are wrong."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.doctor import everything, host_file, machine, settings
from shared.doctor.everything import (
    DEEP_SECONDS,
    QUICK_SECONDS,
    SETTINGS_SECONDS,
    check_everything,
)
from shared.doctor.finding import Check, Finding
from shared.errors import StorageError
from shared.runtime import Runtime
from tests.unit.doctor_rig import DoctorRig


class Waits:
    """Waits for all checks, however long; notes for how long they might have taken."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, futures: Collection[Future[None]], seconds: float) -> None:
        self.seconds.append(seconds)
        wait_for(futures)


def check(name: str, error: Exception | None = None) -> Check:
    def run(_: Runtime) -> Iterator[Finding]:
        yield Finding(name, "ok", "was looked at")
        if error is not None:
            raise error

    return Check(name, run)


@pytest.fixture(autouse=True)
def _small_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of those that ask upstreams."""
    monkeypatch.setattr(everything, "QUICK", (check("quick.1"), check("quick.2")))
    monkeypatch.setattr(
        everything, "DEEP", (check("deep.1"), check("deep.2", StorageError("away")), check("deep.3"))
    )


def names(findings: list[Finding]) -> list[str]:
    return [finding.check for finding in findings]


def test_quick_checks_come_after_the_settings_and_have_their_time() -> None:
    waits = Waits()
    found = check_everything(DoctorRig().runtime, deep=False, wait=waits)
    assert names(found) == ["settings", "quick.1", "quick.2"]
    assert waits.seconds == [SETTINGS_SECONDS, QUICK_SECONDS]


def test_deep_checks_come_after_what_needs_no_settings_and_one_that_fails_hides_no_other() -> None:
    waits = Waits()
    found = check_everything(DoctorRig().runtime, deep=True, wait=waits)
    assert names(found) == [
        *("settings", "python", "packages", "host.json"),
        *("deep.1", "deep.2", "deep.2", "deep.3"),
    ]
    assert [finding.status for finding in found[-4:]] == ["ok", "ok", "failed", "ok"]
    assert waits.seconds == [SETTINGS_SECONDS, QUICK_SECONDS, DEEP_SECONDS]


def test_with_wrong_settings_no_connection_is_tried_and_that_is_said() -> None:
    found = check_everything(Runtime({}), deep=True)
    assert set(names(found)) == {"settings", "python", "packages", "host.json", "connections"}
    assert (found[-1].check, found[-1].status) == ("connections", "skipped")
    assert found[-1].advice == "Mend the settings first"
    assert set(names(check_everything(Runtime({}), deep=False))) == {"settings"}


def test_a_machine_that_lacks_something_keeps_no_connection_from_being_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_file, "FILE", tmp_path / "host.json")
    found = check_everything(DoctorRig().runtime, deep=True)
    assert [finding.check for finding in found if finding.status == "failed"] == ["host.json", "deep.2"]
    assert names(found)[-1] == "deep.3"


def test_settings_that_are_not_read_in_time_are_as_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()

    def hangs(_: Runtime) -> Iterator[Finding]:
        let_go.wait(60)
        yield Finding("settings", "ok", "at last")

    monkeypatch.setattr(settings, "READABLE", Check("settings", hangs, "Is the Key Vault slow to answer?"))
    (found,) = check_everything(DoctorRig().runtime, deep=False, wait=lambda _futures, _seconds: None)
    let_go.set()
    assert (found.check, found.status, found.seen) == ("settings", "failed", "no answer within 3 s")


# -- this machine ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "status"),
    [((3, 10), "warning"), ((3, 11), "ok"), ((3, 13), "ok"), ((3, 14), "warning")],
)
def test_only_a_python_that_is_tested_is_in_order(
    version: tuple[int, int], status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "sys", SimpleNamespace(version_info=(*version, 0)))
    found = DoctorRig().look(machine.CHECK)["python"]
    assert found.status == status
    assert found.advice == ("" if status == "ok" else "Use Python 3.11 to 3.13")


@pytest.mark.parametrize(
    ("version", "missing", "told"),
    [
        ((3, 11), (), None),
        ((3, 11), ("redis", "msal"), "not installed: msal, redis"),
        ((3, 11), (machine.WORKER,), None),
        ((3, 13), (machine.WORKER,), f"not installed: {machine.WORKER}"),
    ],
)
def test_what_is_not_installed_is_named_the_worker_only_where_the_app_brings_it(
    version: tuple[int, int], missing: tuple[str, ...], told: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version_of(name: str) -> str:
        if name in missing:
            raise PackageNotFoundError
        return "1.0"

    monkeypatch.setattr(machine, "sys", SimpleNamespace(version_info=(*version, 0)))
    monkeypatch.setattr(machine, "version", version_of)
    found = DoctorRig().look(machine.CHECK)["packages"]
    if told is None:
        assert found.status == "ok"
        assert "azure-identity 1.0" in found.seen
    else:
        assert (found.status, found.seen) == ("failed", told)
        assert found.advice.startswith("Install requirements.txt again")


@pytest.mark.parametrize(
    ("content", "kind"), [(None, "FileNotFoundError"), ("{", "JSONDecodeError")], ids=["none", "no JSON"]
)
def test_a_host_file_that_cannot_be_read_is_to_be_deployed_again(
    content: str | None, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "host.json"
    if content is not None:
        file.write_text(content)
    monkeypatch.setattr(host_file, "FILE", file)
    found = DoctorRig().only(host_file.CHECK)
    assert (found.status, found.seen) == ("failed", f"cannot be read ({kind})")
    assert found.advice == "Deploy the app again, host.json included"


def test_the_host_file_that_is_deployed_is_in_order() -> None:
    assert DoctorRig().only(host_file.CHECK).status == "ok"
