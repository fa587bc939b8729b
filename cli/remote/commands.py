"""The commands that ask a running app: what may be said, what is asked, and what is shown."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from cli.arguments import Parser, add_command, new_file, whole_number
from cli.console import inert, print_json, result_console, say
from cli.next_step import say_next
from cli.remote.address import (
    CLIENT_SETTING,
    DEFAULT_URL,
    KEY_SETTING,
    URL_SETTING,
    Address,
    address_of,
    looks_like_function_key,
)
from cli.remote.calls import call_of
from cli.remote.client import Answer, NothingAnswers, RemoteApp, RemoteError
from cli.remote.here import COMMANDS, app_here, documents_here, instead
from cli.remote.preview import preview_here
from cli.remote.rules_files import below_rules
from cli.remote.sign_in import access_token
from cli.remote.words import said
from cli.settings_file import local_environment
from local.host.once import NOTHING_FAILED, SOMETHING_FAILED
from shared.errors import ConfigurationError
from shared.queries.openapi.requests import MOST_VERSIONS
from shared.sync.decisions.record import DECISION_ACTIONS
from shared.sync.documents.runs import RUN_PHASES
from shared.sync.findings.causes import OWNERS
from shared.sync.model import ACTIONS, ENTITIES

if TYPE_CHECKING:
    from cli.arguments import Commands

ENTITY_OR_ALL = ("all", *ENTITIES)
NAMES = ", ".join(ENTITIES)
RUN_HELP = "a run's id, as `runs` shows it"
PREVIEW = "rules preview"
VERSION = whole_number(0, MOST_VERSIONS)
VERSION_HELP = "a number of `rules history`, 0 for the default file (the one in force)"


def add_commands(commands: Commands) -> None:
    """The commands that ask a running app."""
    _add(
        commands,
        "status",
        "how the running app is, and when it runs next",
        "status --url https://func-prod.azurewebsites.net",
    )
    runs = _add(commands, "runs", "its last runs, or one of them", "runs --phase held")
    runs.add_argument("run_id", nargs="?", metavar="RUN", help=RUN_HELP)
    runs.add_argument(
        "--phase", choices=RUN_PHASES, metavar="PHASE", help=f"only runs that are: {', '.join(RUN_PHASES)}"
    )
    runs.add_argument("--entity", choices=ENTITIES, metavar="ENTITY", help=f"only runs of: {NAMES}")
    runs.add_argument("--limit", type=int, default=20, help="how many at most (20)")
    runs.add_argument("--cursor", help="where the page before ended")
    changes = _add(
        commands,
        "changes",
        "what a run changes, before and after",
        "changes 20260131-120000-0a1b2c --entity employees",
    )
    changes.add_argument("run_id", metavar="RUN", help=RUN_HELP)
    changes.add_argument("--entity", choices=ENTITIES, metavar="ENTITY", help=f"only of: {NAMES}")
    changes.add_argument("--action", choices=ACTIONS, metavar="ACTION", help=f"only: {', '.join(ACTIONS)}")
    changes.add_argument("--limit", type=int, default=100, help="how many at most (100)")
    changes.add_argument("--cursor", help="where the page before ended")
    search = _add(commands, "search", "keys by name, e-mail or phone", "search garcia")
    search.add_argument("text", nargs="+", metavar="TEXT", help="words, all of which must be there")
    search.add_argument(
        "--entity",
        choices=ENTITIES,
        default="employees",
        metavar="ENTITY",
        help=f"one of {NAMES} (employees)",
    )
    explain = _add(
        commands, "explain", "one record: what happened, why, what comes next", "explain employees 10029"
    )
    explain.add_argument("entity", choices=ENTITIES, metavar="ENTITY", help=NAMES)
    explain.add_argument("record", metavar="KEY", help="the record's key, as `search` finds it")
    sync = _add(
        commands, "sync", "start a run, or sync one record now", "sync employees --record 10029 --plan"
    )
    sync.add_argument("entity", choices=ENTITY_OR_ALL, metavar="ENTITY", help=f"all, {NAMES}")
    sync.add_argument("--record", metavar="KEY", help="only the record with this key, step by step")
    sync.add_argument("--plan", action="store_true", help="stop after planning, change nothing")
    sync.add_argument("--refresh", action="store_true", help="list SafetyAmp anew")
    _add_deciding(sync)
    _add(commands, "failures", "what fails, by cause, with what to do", "failures --json")
    fixes = _add(commands, "fix-list", "what is whose to mend", "fix-list --owner hr --csv hr.csv")
    fixes.add_argument("--owner", choices=OWNERS, metavar="OWNER", help=f"only of: {', '.join(OWNERS)}")
    fixes.add_argument(
        "--csv",
        type=new_file,
        metavar="FILE",
        help="write every row there, for a spreadsheet; names people",
    )
    trends = _add(commands, "trends", "changes, findings and calls of the last days", "trends --days 7")
    trends.add_argument("--days", type=int, default=30, help="how many, with today (30)")
    retry = _add(commands, "retry", "a run that also tries what was refused", "retry employees")
    retry.add_argument("entity", nargs="?", choices=ENTITIES, metavar="ENTITY", help="only of this entity")
    _add_deciding(retry)
    approve = _add(commands, "approve", "let the held plans of a run go on", "approve 20260131-120000-0a1b2c")
    approve.add_argument("run_id", metavar="RUN", help=RUN_HELP)
    _add_deciding(approve)
    cancel = _add(commands, "cancel", "stop a run; what was done stays done", "cancel 20260131-120000-0a1b2c")
    cancel.add_argument("run_id", metavar="RUN", help=RUN_HELP)
    _add_deciding(cancel)
    pause = _add(
        commands,
        "pause",
        "stop, and start nothing until resumed",
        "pause employees --reason 'new job codes until Friday'",
    )
    pause.add_argument(
        "entity", nargs="?", choices=ENTITY_OR_ALL, default="all", metavar="ENTITY", help="(all)"
    )
    _add_deciding(pause)
    resume = _add(commands, "resume", "end a pause", "resume employees")
    resume.add_argument(
        "entity", nargs="?", choices=ENTITY_OR_ALL, default="all", metavar="ENTITY", help="(all)"
    )
    _add_deciding(resume)
    _add_decisions(commands)
    _add_rules(below_rules(commands))


def _add_rules(rules: Commands) -> None:
    text = _add(rules, "text", "its rules, as a file to change", "rules text > rules.toml", "rules text")
    text.add_argument("version", nargs="?", type=VERSION, metavar="VERSION", help=VERSION_HELP)
    _add(rules, "history", "which rules were in force, and why", "rules history", "rules history")
    diff = _add(rules, "diff", "what two versions of its rules say otherwise", "rules diff 3 4", "rules diff")
    diff.add_argument("a", type=VERSION, metavar="VERSION", help="a number of `rules history`")
    diff.add_argument("b", nargs="?", type=VERSION, metavar="VERSION", help="another (the one in force)")
    push = _add(
        rules,
        "push",
        "put the rules of a file in force",
        "rules push rules.toml --reason 'office staff are managed elsewhere'",
        "rules push",
    )
    push.add_argument("file", type=Path, metavar="FILE", help="a rules.toml")
    _add_after(push)
    rollback = _add(
        rules,
        "rollback",
        "put a former version of its rules in force again",
        "rules rollback 3 --reason 'phones came out wrong'",
        "rules rollback",
    )
    rollback.add_argument("version", type=VERSION, metavar="VERSION", help="its number; 0: the default file")
    _add_after(rollback)
    preview = _add(
        rules,
        "preview",
        "what a run under the rules of a file would do; nothing is changed",
        "rules preview rules.toml --csv preview.csv",
        "rules preview",
    )
    preview.add_argument("file", type=Path, metavar="FILE", help="a rules.toml")
    preview.add_argument(
        "--csv",
        type=new_file,
        metavar="FILE",
        help="write every change there, for a spreadsheet; names people",
    )


def _add_after(parser: Parser) -> None:
    parser.add_argument(
        "--after",
        type=VERSION,
        metavar="VERSION",
        help="only if that one is in force, from which they were made",
    )
    _add_deciding(parser)


def _add_decisions(commands: Commands) -> None:
    decisions = _add(
        commands, "decisions", "who decided what, when and why", "decisions --run 20260131-120000-0a1b2c"
    )
    decisions.add_argument(
        "--run", dest="about_run", metavar="RUN", help="only about this run, or that began it"
    )
    decisions.add_argument(
        "--action",
        choices=DECISION_ACTIONS,
        metavar="ACTION",
        help=f"only: {', '.join(DECISION_ACTIONS)}",
    )
    decisions.add_argument("--who", metavar="NAME", help="only of whose name or id has this in it")
    decisions.add_argument("--entity", choices=ENTITIES, metavar="ENTITY", help=f"only of: {NAMES}")
    decisions.add_argument("--record", metavar="KEY", help="only that name this record of the entity")
    decisions.add_argument("--limit", type=int, default=50, help="how many at most (50)")
    decisions.add_argument("--cursor", help="where the page before ended")


def _add_deciding(parser: Parser) -> None:
    parser.add_argument("--reason", metavar="TEXT", help="why; kept with the decision")
    parser.add_argument("--who", metavar="NAME", help="who decides it (this machine's user)")


def _add(commands: Commands, name: str, about: str, example: str, command: str | None = None) -> Parser:
    """`command` is what it is called with the command that it is below, if it is below one."""
    command = command or name
    parser = add_command(
        commands,
        name,
        f"running app: {about}",
        example,
        run=_run,
        command=command,
        log_level="ERROR",
        interrupted="what the app has been asked for goes on there",
    )
    no_app = "Where none is named and none runs, the documents of LOCAL_FOLDER answer."
    app = parser.add_argument_group("the running app", no_app if command in COMMANDS else None)
    app.add_argument("--url", help=f"its address (environment {URL_SETTING}, else {DEFAULT_URL})")
    app.add_argument(
        "--function-key",
        metavar="FUNCTION_KEY",
        help=f"its function key (better: environment {KEY_SETTING})",
    )
    app.add_argument(
        "--client-id",
        metavar="CLIENT_ID",
        help=f"sign in as `az login` has, to the registration of this id (environment {CLIENT_SETTING})",
    )
    # Of `sync` it has always been a record's key.
    parser.add_alias("--key", "record" if name == "sync" else "function_key")
    parser.add_argument("--json", action="store_true", help="print the app's answer as it is")
    return parser


def _run(options: argparse.Namespace) -> int:
    """Raises ConfigurationError for an address or key that cannot be one."""
    environment = local_environment(Path.cwd())
    address = address_of(options.url, options.function_key, options.client_id, environment)
    _check_record(options, address)
    errors = result_console(stderr=True)
    if address.shows_secret:
        what = "token" if address.client_id else "key"
        errors.print(f"[yellow]the {what} goes over the network unencrypted: use https[/yellow]")
    try:
        return _shown(_asked(options, address, environment), options)
    except RemoteError as error:
        if options.json:
            print_json(error.to_json())
        else:
            errors.print(Text("not done: ", style="bold red") + said(error))
            errors.print(Text("  ") + said(error.hint))
        return SOMETHING_FAILED


def _asked(options: argparse.Namespace, address: Address, environment: Mapping[str, str]) -> Answer[Any]:
    """The running app's answer; where none runs, that of its code on the documents here, where that is no
    less true. Raises RemoteError and ConfigurationError."""
    ask = call_of(options).ask
    token = access_token(address.client_id) if address.client_id else None
    try:
        with RemoteApp(address, token) as app:
            return ask(app, options)
    except NothingAnswers as error:
        folder = None if address.is_named or address.client_id else documents_here(environment)
        if folder is None:
            raise
        if options.command == PREVIEW:
            return preview_here(options, environment)
        if options.command not in COMMANDS:
            raise RemoteError(str(error), error.hint + instead(options)) from error
    text = f"no app runs at {address.url}: this is from the documents in {folder}"
    say(result_console(stderr=True), Text(inert(text), style="dim"))
    with app_here(environment) as adapter, RemoteApp(address, adapter=adapter) as app:
        return ask(app, options)


def _check_record(options: argparse.Namespace, address: Address) -> None:
    record = getattr(options, "record", None)
    if record is not None and looks_like_function_key(record, address):
        text = f"must be a record's key here; this looks like a function key, which goes into {KEY_SETTING}"
        raise ConfigurationError.of("--record" if options.command == "sync" else "KEY", text)


def _shown(answer: Answer[object], options: argparse.Namespace) -> int:
    """Also with --json the answer is gone through, for the exit status."""
    console = result_console(quiet=options.json)
    try:
        status = call_of(options).tell(console, answer.value, options)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if not options.json:
            text = f"the app answers in another form than this command knows ({type(error).__name__})"
            hint = "App and command line are of different versions: use the same, or --json."
            raise RemoteError(text, hint) from error
        status = NOTHING_FAILED
    if console.is_terminal:  # what a script reads is the answer alone
        say_next(console, options, status)
    if options.json:
        print_json(answer.value, answer.text)
    return status
