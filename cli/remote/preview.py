"""What a run under the rules of a file would do: asked of a running app, or planned in this process."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from cli.arguments import write_private
from cli.console import result_console
from cli.doctor import show_what_failed
from cli.remote.client import Answer, Expected, RemoteApp
from cli.remote.rules_files import text_of
from local.host.once import run_once
from local.host.progress import display
from local.host.stack import LocalStack
from shared.clock import SystemClock
from shared.errors import ConfigurationError
from shared.queries import answers
from shared.queries.csv_text import plan_csv
from shared.queries.openapi.requests import PLANNED_PER_PART
from shared.queries.plan_view import plan_view
from shared.queries.rules_preview import preview_request, rules_preview
from shared.sync.documents.runs import get_run
from shared.sync.planning.rules_in_force import effective_rules

POLL_SECONDS = 2.0

STARTED = Expected(answers.Started, ("run_id",))
RUN = Expected(answers.Run, ("run_id", "phase"))
PLAN = Expected(answers.RunPlan, ("run_id", "entities"))
PREVIEW = Expected(answers.RulesPreview, ("run_id", "entities"))


def ask_preview(app: RemoteApp, options: argparse.Namespace) -> Answer[answers.RulesPreview]:
    """Have the app plan under the file's rules, and wait for it: the run is its own, whatever becomes of this
    process."""
    text, clock = text_of(options.file), SystemClock()
    run_id = app.post("/api/rules/preview", STARTED, {"text": text}).value["run_id"]
    while app.get(f"/api/runs/{run_id}", RUN).value["phase"] == "running":
        clock.sleep(POLL_SECONDS)
    if options.csv is not None:
        plan = app.get(f"/api/runs/{run_id}/plan", PLAN, limit=PLANNED_PER_PART.most)
        _write(options.csv, plan.value)
    return app.get(f"/api/rules/preview/{run_id}", PREVIEW)


def preview_here(options: argparse.Namespace, environment: Mapping[str, str]) -> Answer[answers.RulesPreview]:
    """The same without an app: a run of this process, on the documents of LOCAL_FOLDER."""
    text, stack = text_of(options.file), LocalStack(environment)
    console = result_console(stderr=True)
    try:
        services = stack.runtime
        effective_rules(services.settings, text)
        show_what_failed(console, services)
        with display(console, silent=options.json or options.quiet) as shown:
            report = run_once(stack, preview_request(services.documents, text), shown).report
        run = get_run(services.documents, report["run_id"])
        if options.csv is not None:
            _write(options.csv, plan_view(services, run))
        value = rules_preview(services, run)
        return Answer(json.dumps(value, ensure_ascii=False), value)
    finally:
        stack.close()


def _write(path: Path, plan: answers.RunPlan) -> None:
    """For nobody else to read: it holds names and addresses."""
    try:
        write_private(path, ("\ufeff" + plan_csv(plan)).encode("utf-8", "replace"))
    except OSError as error:
        raise ConfigurationError.of("--csv", f"cannot be written ({error.strerror})") from error
