"""One record for somebody on the phone: the answer first, what to do, and then what it rests on."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.console import inert
from cli.remote.parts import difference_lines, error_lines, heading, show_commands, show_lines
from cli.remote.show_decisions import show_list_of_decisions
from cli.remote.words import command, plain, said, when
from shared.queries import answers

Fields = Mapping[str, object]

FOUND = {
    "yes": "has it",
    "no": "does not have it, as far as is known",
    "several": "has it several times",
    "unsure": "may or may not have it: the last creation got no answer",
}


def show_explanation(console: Console, value: answers.Explanation) -> None:
    """The sentences and the advice; then source, SafetyAmp, difference, history and what comes next."""
    now = value["at"]
    heading(console, f"{value['entity']} {value['key']}")
    for sentence in value["summary"]:
        console.print(said(sentence, now))
    console.print(Text("To do: ", style="bold") + said(_advice(value)))
    show_commands(console, *_commands(value))
    _show_source(console, value)
    _show_safetyamp(console, value)
    _show_difference(console, value["difference"])
    _show_history(console, value["history"], now)
    # An older app tells none.
    if decisions := value.get("decisions"):
        heading(console, "Decisions about it")
        show_list_of_decisions(console, decisions)
    _show_next(console, value["next"], now)


def _advice(value: answers.Explanation) -> str:
    failure, coming = value["safetyamp"]["failure"], value["next"]
    # What is said of the refusal itself knows more: that a value is taken, say.
    return failure["suggestion"] if failure and coming["verdict"] == "refused" else coming["suggestion"]


def _commands(value: answers.Explanation) -> Iterator[str]:
    """What can be done about it from here."""
    entity, key, coming = value["entity"], value["key"], value["next"]
    run_id = (coming["run_url"] or "").rpartition("/")[2]
    verdict = coming["verdict"]
    if verdict == "refused":
        # What was mended in SafetyAmp is only seen by listing it anew.
        yield command("sync", entity, "--record", key, "--refresh")
    elif verdict in ("create", "update", "deactivate", "reactivate", "invalid"):
        yield command("sync", entity, "--record", key)
    elif verdict == "waiting":
        for ref in value["mapped"]["fields"].values() if value["mapped"] else ():
            if isinstance(ref, dict) and f"{ref['entity']} {ref['key']}" in coming["reason"]:
                yield command("explain", str(ref["entity"]), str(ref["key"]))
    elif verdict == "paused":
        yield command("resume", entity)
    elif run_id and coming["approve_url"]:
        yield command("changes", run_id, "--entity", entity)
        yield command("approve", run_id)
    elif run_id:
        yield command("runs", run_id)


def _show_source(console: Console, value: answers.Explanation) -> None:
    source, rejected, mapped = value["source"], value["rejected"], value["mapped"]
    name = f"Source ({'Samsara' if value['entity'] == 'vehicles' else 'Vista'})"
    if not source["read"]:
        heading(console, name, f"could not be read: {source['problem']}")
        return
    record = {field: found for field, found in (source["record"] or {}).items() if found is not None}
    standing = f", {record['standing']}" if "standing" in record else ""
    heading(console, name, f"has it{standing}" if source["found"] else "does not have it")
    if rejected:
        where = f" ({rejected['field']})" if rejected["field"] else ""
        console.print(Text("  ") + said(f"{rejected['kind']}{where}: {rejected['reason']}"))
    if mapped is None and record:
        console.print(_fields_table({"source": record}, ()))
    if mapped and record.get("home_site_from"):
        console.print(Text("  ") + said(f"home site from {record['home_site_from']}"))
    for note in (*value["notes"], *(mapped["warnings"] if mapped else ())):
        if note not in value["next"]["reason"]:
            console.print(Text("  ") + said(note))


def _show_safetyamp(console: Console, value: answers.Explanation) -> None:
    known, mapped, difference = value["safetyamp"], value["mapped"], value["difference"]
    as_of = f", as of run {known['as_of_run']}" if known["as_of_run"] else ""
    ids = ", ".join(map(str, known["target_ids"]))
    found = FOUND[known["found"]] if known["known"] else "has not been listed yet"
    heading(console, "SafetyAmp", found + (f" as {ids}" if ids else "") + as_of)
    if run_id := known.get("not_listed_since_run"):
        console.print(f"  not in SafetyAmp's listing since run {inert(run_id)}", highlight=False)
    failure = known["failure"]
    if failure:
        since = failure.get("since", failure["at"])
        first = "" if since == failure["at"] else f", first at {when(since, value['at'])}"
        console.print(Text("  ") + said(f"refused at {when(failure['at'], value['at'])}{first}:"))
        show_lines(console, error_lines(failure["errors"]))
    if known["switched_off_by_run"]:
        console.print(Text(f"  switched off by run {inert(known['switched_off_by_run'])}"))
    ours = dict(mapped["fields"]) if mapped else {}
    if mapped and known["fields"] is None:
        # Defaults count for a creation only.
        ours.update(mapped["defaults"])
    marked = {*(difference["after"] if difference else ()), *(failure["errors"] if failure else ())}
    sides = {"source": ours, "SafetyAmp": known["fields"] or {}}
    if shown := {name: fields for name, fields in sides.items() if fields}:
        console.print(_fields_table(shown, marked))


def _fields_table(sides: Mapping[str, Fields], marked: Container[str]) -> Table:
    """A column for each side; fields that no side has are left out."""
    table = Table(show_edge=False, pad_edge=False)
    for side in ("field", *sides):
        table.add_column(side, overflow="fold")
    for name in dict.fromkeys(name for fields in sides.values() for name in fields):
        values = [fields.get(name) for fields in sides.values()]
        if any(value is not None for value in values):
            mark, style = ("≠ ", "bold yellow") if name in marked else ("", "")
            table.add_row(Text(mark + inert(name)), *(plain(value) for value in values), style=style)
    return table


def _show_difference(console: Console, difference: answers.Difference | None) -> None:
    if difference is None:
        heading(console, "Difference", "nothing that a run would change now")
        return
    heading(console, "Difference", f"{difference['action']} would set")
    show_lines(console, difference_lines(difference["before"], difference["after"]))


def _show_history(console: Console, history: answers.History, now: str) -> None:
    changes = history["changes"]
    heading(console, "History", f"changes {len(changes)}, runs looked through {history['runs_searched']}")
    for change in changes:
        call = " by {method} {path}".format(**change["call"]) if change["call"] else ""
        at = when(change["at"] or change["requested_at"], now)
        line = f"{at}, run {change['run_id']}: {change['action']}, {change['result']}{call}"
        console.print(Text("  ") + said(line))
        if change["action"] != "create":
            show_lines(console, difference_lines(change["before"], change["after"]), "  ")
        show_lines(console, error_lines(change["errors"]), "  ")


def _show_next(console: Console, coming: answers.Next, now: str) -> None:
    """The reason is among the sentences at the beginning."""
    at = when(coming["at"], now) if coming["at"] else None
    if at is None and coming["verdict"] in ("refused", "invalid", "held", "paused"):
        at = "until somebody does what is said above"
    heading(console, "Next", ", ".join(filter(None, (coming["verdict"], at))))
