"""Asks a deployed app whether it works: health, readiness, key; with --plan also a run that changes nothing.

    SAFETYAMP_SYNC_KEY=... python3 infra/smoke.py https://HOST [--package NAME [--unstamped]] [--plan] ...
    python3 infra/smoke.py https://HOST --reachable

Needs Python 3.11 and nothing else. Exits with 0 when all is well, with 1 when not, saying what.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PAUSE_SECONDS = 10.0
ANSWER_SECONDS = 60
CONFLICT = 409
REFUSED = (401, 403)
FORBIDDEN = 403


class NotWorking(Exception):
    """What is wrong, in a sentence."""


@dataclass
class App:
    """The app at an address; `key` is sent with every request and never printed."""

    url: str
    key: str

    def ask(self, method: str, path: str) -> tuple[int, Any]:
        """Status and JSON (or text) of the answer; status 0 and the reason when there is none."""
        request = urllib.request.Request(  # noqa: S310 - the address is the operator's own argument
            self.url + path, method=method, headers={"x-functions-key": self.key} if self.key else {}
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
                return answer.status, _content(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, _content(error.read())
        except OSError as error:
            return 0, str(error)


def _content(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


class Patience:
    """Asks again until it is used up: a swap or a deployment takes a while to settle."""

    def __init__(
        self,
        seconds: float,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._now, self._sleep = now, sleep
        self._end = now() + seconds

    def until(self, check: Callable[[], str | None]) -> None:
        """Call `check` until it returns None; it returns what is still wrong. Raises NotWorking with that."""
        while problem := check():
            if self._now() >= self._end:
                raise NotWorking(problem)
            self._sleep(PAUSE_SECONDS)


def check_reachable(app: App) -> None:
    """Whether the app lets this machine in, well or not. Raises NotWorking."""
    status, content = app.ask("GET", "/health")
    if status == FORBIDDEN:
        raise NotWorking(f"/health answered {status}: {_why(status, content)}")


def check_answers(app: App, patience: Patience, package: str = "", *, strictly: bool = True) -> str:
    """Health, readiness and the key. Returns the app's version. Raises NotWorking, also when what answers
    is not of the `package`: for a while after a deployment it may be the one before."""
    version = ""

    def health() -> str | None:
        nonlocal version
        status, content = app.ask("GET", "/health")
        if status == 200 and isinstance(content, dict):
            version = str(content.get("version"))
            return (
                None
                if is_of(version, package, strictly=strictly)
                else f"version {version} answers, and not yet {package}"
            )
        return f"/health answered {status}: {_why(status, content)}"

    def ready() -> str | None:
        status, content = app.ask("GET", "/ready")
        if status == 200:
            return None
        missing = content.get("missing") if isinstance(content, dict) else None
        return f"/ready answered {status}: {'; '.join(missing) if missing else content}"

    def key() -> str | None:
        status, _ = app.ask("GET", "/metrics")
        problem = f"/metrics answered {status} to the key in SAFETYAMP_SYNC_KEY"
        if status in REFUSED:
            raise NotWorking(problem)
        return None if status == 200 else problem

    patience.until(health)
    patience.until(ready)
    if app.key:
        patience.until(key)
    return version


def is_of(version: str, package: str, *, strictly: bool) -> bool:
    """Whether the version may be that of the package, whose name ends with the commit; a name without one
    fits any version. Not `strictly`: a version that does not say its commit, as 0.1.0 did not, fits any."""
    commit = version.partition("+")[2]
    named = package.removesuffix(".zip").rpartition("-")[2]
    return named in ("", "unknown", commit) or (not strictly and commit in ("", "unknown"))


def check_plan(app: App, patience: Patience, *, allow_held: bool) -> list[str]:
    """Let the app plan a run of everything without changing anything. Returns a line per entity.

    Raises NotWorking when the run fails, or the guard would hold one of its plans: a new version that wants
    to deactivate many people is wrong until somebody says otherwise.
    """
    run_id = ""

    def start() -> str | None:
        nonlocal run_id
        status, content = app.ask("POST", "/api/sync/all?mode=plan")
        if status == 202:
            run_id = content["run_id"]
            return None
        if status == CONFLICT and content.get("title") == "Paused":
            raise NotWorking(f"no run can be planned: {content.get('detail')}")
        return f"the plan-only run was refused with {status}: {_detail(content)}"

    report: dict[str, Any] = {}

    def ended() -> str | None:
        nonlocal report
        status, content = app.ask("GET", f"/api/runs/{run_id}")
        if status != 200:
            return f"/api/runs/{run_id} answered {status}: {_detail(content)}"
        report = content
        return f"run {run_id} has not ended" if report["phase"] == "running" else None

    patience.until(start)
    patience.until(ended)
    wrong = []
    if report["phase"] != "planned":
        wrong.append(f"run {run_id} ended as {report['phase']}")
    for name, entity in report["entities"].items():
        if entity["phase"] == "failed" or (
            entity["phase"] == "planned" and entity["reason"] and not allow_held
        ):
            wrong.append(f"{name}: {entity['reason']}")
    if wrong:
        raise NotWorking("; ".join(wrong))
    return [f"{name}: {one['phase']}, {_planned(one)}" for name, one in report["entities"].items()]


def _why(status: int, content: Any) -> str:
    if status == FORBIDDEN:
        return "this machine is not among appAddresses, or the app is stopped (infra/README.md, Releases)"
    return str(content)


def _planned(entity: dict[str, Any]) -> str:
    """What a run would do, without what it would not."""
    changes = [f"{count} to {action}" for action, count in (entity["planned"] or {}).items() if count]
    return ", ".join(changes) or "nothing to change"


def _detail(content: Any) -> str:
    return str(content.get("detail", content)) if isinstance(content, dict) else str(content)


def main(arguments: list[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Ask a deployed app whether it works.")
    parser.add_argument("url")
    parser.add_argument(
        "--plan", action="store_true", help="also let it plan a run, without changing anything"
    )
    parser.add_argument("--reachable", action="store_true", help="only ask whether it lets this machine in")
    parser.add_argument(
        "--package", default="", help="name of the package that must answer, as infra/deploy prints it"
    )
    parser.add_argument(
        "--unstamped", action="store_true", help="that package may be of 0.1.0, which tells no commit"
    )
    parser.add_argument("--allow-held", action="store_true", help="accept plans that the guard would hold")
    parser.add_argument("--minutes", type=float, default=10, help="how long to wait for each part")
    chosen = parser.parse_args(arguments)
    app = App(chosen.url.rstrip("/"), os.environ.get("SAFETYAMP_SYNC_KEY", ""))
    try:
        if chosen.reachable:
            check_reachable(app)
            return 0
        version = check_answers(
            app, Patience(chosen.minutes * 60), chosen.package, strictly=not chosen.unstamped
        )
        print(f"healthy and ready, version {version}")
        if chosen.plan:
            for line in check_plan(app, Patience(chosen.minutes * 60), allow_held=chosen.allow_held):
                print(line)
    except NotWorking as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
