"""What is to be mended, by whose it is: what HR, payroll and the others are handed, from the last runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from shared.errors import UnreadableDocument
from shared.queries import answers
from shared.queries.names import Teller, fields_of, teller
from shared.queries.run_index import newest_runs, run_ids
from shared.storage.documents import Documents
from shared.sync.documents.plans import Plan, read_plan
from shared.sync.documents.runs import Run
from shared.sync.documents.state import FAILURE, Entry, read_state, refused_since
from shared.sync.findings.causes import CAUSES, REFERENCE_REFUSED, REFUSED, VALUE_TAKEN, Cause, Owner
from shared.sync.model import ENTITIES, EntityName
from shared.sync.runs.report import problems_of
from shared.sync.services import Services

MOST_RUNS = 24
"""How far back the beginning of a finding is looked for: a day of hourly runs."""

UNKNOWN_OWNER: Owner = "it"
"""Gets what has no cause, or one of a newer release: somebody must see whose it is."""

TO_MEND = frozenset({"invalid", "refused", "reported"})
"""Kinds of problems without a cause that are told: what is skipped or waits comes right by itself, mostly."""

OF_REFUSALS = frozenset({VALUE_TAKEN, REFERENCE_REFUSED, *REFUSED.values()})


@dataclass
class _Finding:
    """What is wrong with a record for one cause; `code` is that of the cause, None where an earlier release
    gave none. `told` are kind and field of each problem that says so. `since` goes back to the first of the
    runs one after the other that found it; `reaches_back`: the oldest of those that were looked at did."""

    key: str
    code: str | None
    told: list[tuple[str, str | None]]
    reasons: list[str]
    since: str
    reaches_back: bool = True

    @property
    def cause(self) -> Cause | None:
        """None also for one that a newer release has."""
        return CAUSES.get(self.code or "")

    @property
    def owner(self) -> Owner:
        return self.cause.owner if self.cause else UNKNOWN_OWNER

    @property
    def field(self) -> str | None:
        return next((name for _, name in self.told if name), None)

    def takes(self, other: _Finding) -> bool:
        """Whether the other one tells the same; if so, what it says is part of this one from now on. Of what
        has no cause only the sentence tells."""
        if self.code is None:
            return self.reasons == other.reasons
        if self.field and other.field and self.field != other.field:
            return False
        self.told += other.told
        self.reasons += [reason for reason in other.reasons if reason not in self.reasons]
        return True


@dataclass
class _Looked:
    """What is known of an entity: its findings, and the last run that looked at all of it."""

    findings: list[_Finding] = field(default_factory=list)
    run: Run | None = None


def fix_list(services: Services, owner: Owner | None = None) -> answers.FixList:
    """What is to be mended, of one owner or of all, by entity, cause and record. Names and values come from
    the source, where it can be read, and else from what is known of SafetyAmp. Raises StorageError."""
    documents = services.documents
    runs = [run for run in newest_runs(documents, MOST_RUNS) if run.ended]
    there_are_more = len(run_ids(documents)) > MOST_RUNS
    looked = {entity: _looked_at(documents, runs, entity) for entity in ENTITIES}
    owners = Counter(found.owner for one in looked.values() for found in one.findings)
    rows: list[answers.FixRow] = []
    problems: list[str] = []
    for entity, one in looked.items():
        wanted = [found for found in one.findings if owner in (None, found.owner)]
        if wanted:
            tell = teller(services, entity, {found.key for found in wanted}, problems)
            rows += [_row(entity, found, tell, there_are_more) for found in wanted]
    rows.sort(key=lambda row: (ENTITIES.index(row["entity"]), row["what"], _by_number(row["key"])))
    return {
        "at": services.clock.now().isoformat(),
        "owner": owner,
        "total": len(rows),
        "owners": dict(sorted(owners.items())),
        "groups": _groups(rows),
        "rows": rows,
        "looked_at": [
            {
                "entity": entity,
                "run_id": one.run.run_id if one.run else None,
                "at": one.run.requested_at if one.run else None,
            }
            for entity, one in looked.items()
            if one.run or entity != "vehicles" or services.settings.vehicles_enabled
        ],
        "problems": problems,
    }


def _by_number(key: str) -> tuple[int, str]:
    return (int(key), "") if key.isdecimal() and key.isascii() and len(key) < 20 else (1 << 70, key)


def _groups(rows: list[answers.FixRow]) -> list[answers.FixGroup]:
    groups: dict[tuple[str, str | None, str], answers.FixGroup] = {}
    records: dict[int, set[tuple[str, str]]] = {}
    for row in rows:
        group = groups.setdefault(
            (row["owner"], row["cause"], row["what"]),
            {
                "owner": row["owner"],
                "cause": row["cause"],
                "what": row["what"],
                "where": row["where"],
                "enter": row["enter"],
                "count": 0,
                "entities": {},
            },
        )
        # One record can have it in two fields.
        if (record := (row["entity"], row["key"])) not in (seen := records.setdefault(id(group), set())):
            seen.add(record)
            group["count"] += 1
            group["entities"][row["entity"]] = group["entities"].get(row["entity"], 0) + 1
    return sorted(groups.values(), key=lambda group: (-group["count"], group["what"]))


# -- what the runs found -----------------------------------------------------------------------------------


def _looked_at(documents: Documents, runs: list[Run], entity: EntityName) -> _Looked:
    """What the newest run found that looked at the whole entity; of single records what later runs of these
    found. `runs` are ended ones, newest first."""
    found: dict[tuple[str, str | None], list[_Finding]] = {}
    alone: set[str] = set()
    remaining = iter(runs)
    for run in remaining:
        if (plan := _plan(documents, run, entity)) is None:
            continue
        keys = set(run.request.keys)
        for problem in problems_of(documents, run, entity, plan):
            key = problem["key"]
            if key not in alone and (not keys or key in keys) and (finding := _finding(problem, run)):
                alike = found.setdefault((key, finding.code), [])
                if not any(one.takes(finding) for one in alike):
                    alike.append(finding)
        if not keys:
            findings = [finding for alike in found.values() for finding in alike]
            _go_back(documents, chain([run], remaining), entity, findings)
            _ask_state(documents, entity, findings)
            return _Looked(findings, run)
        alone |= keys
    return _Looked()


def _plan(documents: Documents, run: Run, entity: EntityName) -> Plan | None:
    """The plan of a run that looked at everything it was asked for: not where only leavers were."""
    if entity not in run.entities:
        return None
    try:
        plan = read_plan(documents, run, entity)
    except UnreadableDocument:
        return None  # The entity's reason says so.
    return None if plan is None or plan.failed is not None else plan


def _finding(problem: Mapping[str, Any], run: Run) -> _Finding | None:
    """None for what nobody has to mend."""
    finding = _Finding(
        key=problem["key"],
        code=problem.get("cause"),
        told=[(problem["kind"], problem.get("field"))],
        reasons=[problem["reason"]] if problem["reason"] else [],
        since=run.requested_at,
    )
    cause = finding.cause
    is_to_mend = problem["kind"] in TO_MEND if cause is None else cause.enter is not None
    return finding if is_to_mend else None


def _go_back(documents: Documents, runs: Iterator[Run], entity: EntityName, findings: list[_Finding]) -> None:
    """Find out since when, from the plans of the runs before."""
    open_findings = findings
    for run in runs:
        if run.request.keys or (plan := _plan(documents, run, entity)) is None:
            continue
        there = {(one["key"], text) for one in plan.problems for text in (one.get("cause"), one["reason"])}
        for finding in open_findings:
            # By the reason where an earlier release gave no cause.
            known_by = {(finding.key, text) for text in (finding.code, *finding.reasons) if text}
            finding.reaches_back = bool(known_by & there)
            if finding.reaches_back:
                finding.since = run.requested_at
        open_findings = [finding for finding in open_findings if finding.reaches_back]


def _ask_state(documents: Documents, entity: EntityName, findings: list[_Finding]) -> None:
    """Of what SafetyAmp refused the state knows since when."""
    refused = [finding for finding in findings if finding.cause in OF_REFUSALS]
    state = read_state(documents, entity) if refused else None
    for finding in refused:
        record = state.records.get(finding.key) if state else None
        since = refused_since(record[3][FAILURE]) if record and record[3] and FAILURE in record[3] else None
        if since is not None:
            finding.since, finding.reaches_back = min(since, finding.since), False


# -- rows -------------------------------------------------------------------------------------------------


def _row(entity: EntityName, found: _Finding, tell: Teller, there_are_more: bool) -> answers.FixRow:
    cause, told = found.cause, tell(found.key)
    column = cause.column if cause else None
    return {
        "owner": found.owner,
        "entity": entity,
        "key": found.key,
        "name": told.name,
        "cause": found.code,
        "what": cause.name if cause else "not told by the release that found it",
        "reason": "; ".join(found.reasons),
        "field": found.field or column,
        "value": told.values.get(column) if column else None,
        "where": cause.where if cause else None,
        "enter": cause.enter if cause else None,
        "again": cause is None or cause.again,
        "since": found.since,
        "since_at_least": found.reaches_back and there_are_more,
        "blocks": _blocks(found, told.entry),
    }


def _blocks(found: _Finding, entry: Entry | None) -> answers.Blocks:
    """A cause that blocks a new record costs one that is there a field only, if it is about one."""
    severity = found.cause.severity if found.cause else "blocks"
    if severity == "know":
        return "nothing"
    if severity != "blocks":
        return severity
    if all(name and (kind == "reported" or name in fields_of(entry)) for kind, name in found.told):
        return "field"
    return "creation" if entry is None else "changes"
