"""What each command asks the app, and what it tells of the answer."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic

from rich.console import Console
from rich.text import Text

from cli.console import inert
from cli.remote.client import RECORD_SECONDS, Answer, Expected, RemoteApp, RemoteError, Value
from cli.remote.parts import show_commands
from cli.remote.preview import ask_preview
from cli.remote.rules_files import text_of
from cli.remote.show_decisions import show_decisions
from cli.remote.show_fix_list import show_fix_list, write_fix_list
from cli.remote.show_record import show_explanation
from cli.remote.show_rules import show_diff, show_history, show_preview, show_put, show_text
from cli.remote.show_runs import show_changes, show_more, show_run, show_runs
from cli.remote.show_status import (
    failures_exit_status,
    show_failures,
    show_pauses,
    show_status,
    status_exit_status,
)
from cli.remote.show_sync import record_exit_status, show_found, show_record_sync
from cli.remote.show_trends import show_trends
from cli.remote.words import command
from cli.user import user_name
from local.host.once import NOTHING_FAILED, SOMETHING_FAILED, exit_status
from shared.errors import ConfigurationError
from shared.queries import answers
from shared.queries.run_index import RUN_ID

STATUS = Expected(answers.Status, ("at", "dependencies", "last_runs"))
RUNS = Expected(answers.RunPage, ("runs", "next"))
RUN = Expected(answers.Run, ("run_id", "entities"))
CHANGES = Expected(answers.ChangePage, ("changes", "next"))
FOUND = Expected(answers.FoundRecords, ("found", "more"))
EXPLANATION = Expected(answers.Explanation, ("summary", "next"))
STARTED = Expected(answers.Started, ("run_id",))
RECORD_SYNC = Expected(answers.RecordSync, ("run_id", "steps"))
FAILURES = Expected(answers.Failures, ("total", "groups", "entities"))
FIX_LIST = Expected(answers.FixList, ("total", "groups", "rows"))
TRENDS = Expected(answers.Trends, ("days", "complete_since"))
CONTROL = Expected(answers.Control, ("paused",))
DECISIONS = Expected(answers.DecisionPage, ("decisions", "next"))
RULES = Expected(answers.Rules, ("source", "text"))
RULES_HISTORY = Expected(answers.RulesHistory, ("in_force", "versions"))
RULES_DIFF = Expected(answers.RulesDiff, ("a", "b", "rules"))
RULES_PUT = Expected(answers.RulesPut, ("in_force", "changed"))


def _ask_status(app: RemoteApp, _: argparse.Namespace) -> Answer[answers.Status]:
    return app.get("/api/status", STATUS)


def _tell_status(console: Console, value: answers.Status, _: argparse.Namespace) -> int:
    show_status(console, value)
    return status_exit_status(value)


def _ask_runs(app: RemoteApp, options: argparse.Namespace) -> Answer[answers.RunPage]:
    query = {name: getattr(options, name) for name in ("phase", "entity", "limit", "cursor")}
    return app.get("/api/runs", RUNS, **query)


def _tell_runs(console: Console, value: answers.RunPage, options: argparse.Namespace) -> int:
    show_runs(console, value["runs"])
    show_more(console, value["next"], "runs", *_given(options, "phase", "entity", "limit"))
    return NOTHING_FAILED


def _ask_run(app: RemoteApp, options: argparse.Namespace) -> Answer[answers.Run]:
    return app.get(f"/api/runs/{_checked(options.run_id)}", RUN)


def _tell_run(console: Console, value: answers.Run, _: argparse.Namespace) -> int:
    show_run(console, value)
    return exit_status(value)


def _ask_changes(app: RemoteApp, options: argparse.Namespace) -> Answer[answers.ChangePage]:
    query = {name: getattr(options, name) for name in ("entity", "action", "limit", "cursor")}
    return app.get(f"/api/runs/{_checked(options.run_id)}/changes", CHANGES, **query)


def _tell_changes(console: Console, value: answers.ChangePage, options: argparse.Namespace) -> int:
    show_changes(console, value["changes"])
    show_more(
        console, value["next"], "changes", options.run_id, *_given(options, "entity", "action", "limit")
    )
    return NOTHING_FAILED


def _ask_search(app: RemoteApp, options: argparse.Namespace) -> Answer[answers.FoundRecords]:
    body = {"entity": options.entity, "text": " ".join(options.text)}
    return app.post("/api/search", FOUND, body)


def _tell_found(console: Console, value: answers.FoundRecords, options: argparse.Namespace) -> int:
    show_found(console, value, options.entity)
    return NOTHING_FAILED


def _ask_explain(app: RemoteApp, options: argparse.Namespace) -> Answer[answers.Explanation]:
    # As a parameter: no path can hold every key.
    return app.get(f"/api/records/{options.entity}", EXPLANATION, key=options.record)


def _tell_explained(console: Console, value: answers.Explanation, _: argparse.Namespace) -> int:
    show_explanation(console, value)
    return NOTHING_FAILED


def _ask_sync(app: RemoteApp, options: argparse.Namespace) -> Answer[answers.Started]:
    return _synced(app, options, STARTED)


def _ask_record_sync(app: RemoteApp, options: argparse.Namespace) -> Answer[answers.RecordSync]:
    return _synced(app, options, RECORD_SYNC)


def _synced(app: RemoteApp, options: argparse.Namespace, expected: Expected[Value]) -> Answer[Value]:
    deciding = _deciding(options)
    return app.post(
        f"/api/sync/{options.entity}",
        expected,
        seconds=RECORD_SECONDS,
        mode="plan" if options.plan else "apply",
        refresh="true" if options.refresh else None,
        key=options.record,
        reason=deciding.get("reason"),
        who=deciding.get("who"),
    )


def _tell_record_sync(console: Console, value: answers.RecordSync, _: argparse.Namespace) -> int:
    show_record_sync(console, value)
    return record_exit_status(value)


def _ask_failures(app: RemoteApp, _: argparse.Namespace) -> Answer[answers.Failures]:
    return app.get("/api/failures", FAILURES)


def _tell_failures(console: Console, value: answers.Failures, _: argparse.Namespace) -> int:
    show_failures(console, value)
    return failures_exit_status(value)


def _ask_fix_list(app: RemoteApp, options: argparse.Namespace) -> Answer[answers.FixList]:
    return app.get("/api/fix-list", FIX_LIST, owner=options.owner)


def _tell_fix_list(console: Console, value: answers.FixList, options: argparse.Namespace) -> int:
    show_fix_list(console, value)
    if options.csv is not None:
        try:
            write_fix_list(options.csv, value)
        except OSError as error:
            raise ConfigurationError.of("--csv", f"cannot be written ({error.strerror})") from error
        console.print(Text(f"{value['total']} rows are in {inert(options.csv)}"), soft_wrap=True)
    return NOTHING_FAILED


def _ask_trends(app: RemoteApp, options: argparse.Namespace) -> Answer[answers.Trends]:
    return app.get("/api/trends", TRENDS, days=options.days)


def _tell_trends(console: Console, value: answers.Trends, options: argparse.Namespace) -> int:
    show_trends(console, value, options.days)
    return NOTHING_FAILED


def _ask_retry(app: RemoteApp, options: argparse.Namespace) -> Answer[answers.Started]:
    body = {"entity": options.entity} if options.entity else {}
    return app.post("/api/failures/retry", STARTED, {**body, **_deciding(options)})


def _ask_approve(app: RemoteApp, options: argparse.Namespace) -> Answer[answers.Started]:
    return app.post(f"/api/runs/{_checked(options.run_id)}/approve", STARTED, _deciding(options))


def _ask_cancel(app: RemoteApp, options: argparse.Namespace) -> Answer[answers.Started]:
    return app.post(f"/api/runs/{_checked(options.run_id)}/cancel", STARTED, _deciding(options))


TOLD_STARTED = {
    "approve": "the held plans of run {run} go on",
    "cancel": "run {run} ends: what was done stays done",
}


def _tell_started(console: Console, value: answers.Started, options: argparse.Namespace) -> int:
    told = TOLD_STARTED.get(options.command, "run {run} has begun")
    console.print(Text(told.format(run=inert(value["run_id"]))))
    show_commands(console, command("runs", value["run_id"]))
    return NOTHING_FAILED


def _ask_pause(app: RemoteApp, options: argparse.Namespace) -> Answer[answers.Control]:
    return app.post("/api/pause", CONTROL, {"entity": options.entity, **_deciding(options)})


def _ask_resume(app: RemoteApp, options: argparse.Namespace) -> Answer[answers.Control]:
    return app.post("/api/resume", CONTROL, {"entity": options.entity, **_deciding(options)})


def _tell_pauses(console: Console, value: answers.Control, _: argparse.Namespace) -> int:
    show_pauses(console, value["paused"])
    return NOTHING_FAILED


def _ask_decisions(app: RemoteApp, options: argparse.Namespace) -> Answer[answers.DecisionPage]:
    query = {name: getattr(options, name) for name in ("action", "who", "entity", "limit", "cursor")}
    run_id = None if options.about_run is None else _checked(options.about_run)
    return app.get("/api/decisions", DECISIONS, run_id=run_id, key=options.record, **query)


def _tell_decisions(console: Console, value: answers.DecisionPage, options: argparse.Namespace) -> int:
    show_decisions(console, value)
    run = [] if options.about_run is None else ["--run", options.about_run]
    asked = _given(options, "action", "who", "entity", "record", "limit")
    show_more(console, value["next"], "decisions", *run, *asked)
    return NOTHING_FAILED


def _ask_rules_text(app: RemoteApp, options: argparse.Namespace) -> Answer[answers.Rules]:
    return app.get("/api/rules", RULES, version=options.version)


def _tell_rules_text(console: Console, value: answers.Rules, _: argparse.Namespace) -> int:
    show_text(console, value)
    if value["problem"]:
        raise RemoteError(value["problem"], "Push rules that can be read, or go back to other ones.")
    return NOTHING_FAILED


def _ask_rules_history(app: RemoteApp, _: argparse.Namespace) -> Answer[answers.RulesHistory]:
    return app.get("/api/rules/history", RULES_HISTORY)


def _tell_rules_history(console: Console, value: answers.RulesHistory, _: argparse.Namespace) -> int:
    show_history(console, value)
    return NOTHING_FAILED


def _ask_rules_diff(app: RemoteApp, options: argparse.Namespace) -> Answer[answers.RulesDiff]:
    return app.get("/api/rules/diff", RULES_DIFF, a=options.a, b=options.b)


def _tell_rules_diff(console: Console, value: answers.RulesDiff, _: argparse.Namespace) -> int:
    show_diff(console, value)
    return NOTHING_FAILED


def _ask_rules_push(app: RemoteApp, options: argparse.Namespace) -> Answer[answers.RulesPut]:
    return app.post("/api/rules", RULES_PUT, {"text": text_of(options.file), **_after(options)})


def _ask_rules_rollback(app: RemoteApp, options: argparse.Namespace) -> Answer[answers.RulesPut]:
    return app.post("/api/rules/rollback", RULES_PUT, {"version": options.version, **_after(options)})


def _after(options: argparse.Namespace) -> dict[str, object]:
    return {**_deciding(options), **({} if options.after is None else {"after": options.after})}


def _tell_rules_put(console: Console, value: answers.RulesPut, _: argparse.Namespace) -> int:
    show_put(console, value)
    return NOTHING_FAILED


def _tell_preview(console: Console, value: answers.RulesPreview, options: argparse.Namespace) -> int:
    show_preview(console, value)
    if options.csv is not None:
        console.print(Text(f"every change is in {inert(options.csv)}"), soft_wrap=True)
    return NOTHING_FAILED if value["phase"] == "planned" else SOMETHING_FAILED


def _deciding(options: argparse.Namespace) -> dict[str, str]:
    """Who decides, and why; what is not known is left out."""
    said = {"reason": options.reason, "who": options.who or user_name()}
    return {name: value for name, value in said.items() if value}


def _given(options: argparse.Namespace, *names: str) -> list[str]:
    """The options again, for the same question about the next page."""
    given = ((f"--{name}", getattr(options, name)) for name in names)
    return [word for name, value in given if value is not None for word in (name, str(value))]


def _checked(run_id: str) -> str:
    """A run's id for a path. Raises RemoteError for what is none, and would lead elsewhere."""
    if not RUN_ID.fullmatch(run_id):
        raise RemoteError(
            "a run's id looks like 20260131-120000-0a1b2c", "GET /api/runs lists the runs that are kept."
        )
    return run_id


@dataclass(frozen=True)
class Call(Generic[Value]):
    """`tell` shows an answer and returns the exit status."""

    ask: Callable[[RemoteApp, argparse.Namespace], Answer[Value]]
    tell: Callable[[Console, Value, argparse.Namespace], int]


CALLS: Mapping[str, Call[Any]] = {
    "status": Call(_ask_status, _tell_status),
    "runs": Call(_ask_runs, _tell_runs),
    "changes": Call(_ask_changes, _tell_changes),
    "search": Call(_ask_search, _tell_found),
    "explain": Call(_ask_explain, _tell_explained),
    "sync": Call(_ask_sync, _tell_started),
    "failures": Call(_ask_failures, _tell_failures),
    "fix-list": Call(_ask_fix_list, _tell_fix_list),
    "trends": Call(_ask_trends, _tell_trends),
    "retry": Call(_ask_retry, _tell_started),
    "approve": Call(_ask_approve, _tell_started),
    "cancel": Call(_ask_cancel, _tell_started),
    "pause": Call(_ask_pause, _tell_pauses),
    "resume": Call(_ask_resume, _tell_pauses),
    "decisions": Call(_ask_decisions, _tell_decisions),
    "rules text": Call(_ask_rules_text, _tell_rules_text),
    "rules history": Call(_ask_rules_history, _tell_rules_history),
    "rules diff": Call(_ask_rules_diff, _tell_rules_diff),
    "rules preview": Call(ask_preview, _tell_preview),
    "rules push": Call(_ask_rules_push, _tell_rules_put),
    "rules rollback": Call(_ask_rules_rollback, _tell_rules_put),
}
OF_ONE: Mapping[str, Call[Any]] = {
    "runs": Call(_ask_run, _tell_run),
    "sync": Call(_ask_record_sync, _tell_record_sync),
}


def call_of(options: argparse.Namespace) -> Call[Any]:
    """What the command asks: `runs` and `sync` something else where one run or record is named."""
    named = {"runs": "run_id", "sync": "record"}.get(options.command)
    is_of_one = named is not None and getattr(options, named) is not None
    return OF_ONE[options.command] if is_of_one else CALLS[options.command]
