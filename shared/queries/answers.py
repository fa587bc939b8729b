"""What the HTTP API answers, as types: the questions return them, the schemas of the OpenAPI description are
made from them, and the command line reads them.

They are read as `answers.Run`, for the engine has its own runs and changes. `TypedDict` is that of
typing_extensions: pydantic, which makes the schemas, takes Python's own from 3.12 on only.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field, JsonValue
from typing_extensions import TypedDict

from shared.doctor.finding import Status as FindingStatus
from shared.resilience.breaker_state import StateName
from shared.sign_in import Role
from shared.sync.documents.outcome import Result
from shared.sync.documents.runs import EntityPhase, Mode, RunPhase
from shared.sync.findings.causes import Owner
from shared.sync.model import Action, EntityName, RejectionKind
from shared.sync.planning.record_view import Found

Count = Annotated[int, Field(ge=0)]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
RunId = Annotated[str, Field(pattern=r"^[0-9]{8}-[0-9]{6}-[0-9a-f]{6}$")]
TargetId = int | str
ChangeResult = Literal["planned", Result]
Fields = Annotated[dict[str, JsonValue], Field(description="SafetyAmp's field names with JSON values.")]
Errors = Annotated[dict[str, list[str]], Field(description="SafetyAmp's texts by field.")]
CauseCode = Annotated[
    str, Field(description="Of docs/findings.md; absent in documents of releases that had none.")
]
UnreadableDocuments = Annotated[list[str], Field(description="Documents that cannot be read.")]

# -- runs, and the changes that they make -----------------------------------------------------------------


class Started(TypedDict):
    run_id: RunId
    url: str


class EntityState(TypedDict):
    phase: EntityPhase
    reason: str | None


class RunSummary(TypedDict):
    run_id: RunId
    url: str
    phase: RunPhase
    mode: Mode
    cause: str
    refresh: bool
    keys: list[str]
    requested_at: Time
    finished_at: Time | None
    counts: dict[str, Count]
    entities: dict[str, EntityState]
    problem: Annotated[
        str | None, Field(description="The run's document cannot be read; the rest is a guess.")
    ]


class RunPage(TypedDict):
    runs: list[RunSummary]
    next: Annotated[
        str | None,
        Field(description="Where the next page begins, which there may be although this one is not full."),
    ]


class RecordProblem(TypedDict):
    key: str
    kind: str
    reason: str | None
    field: str | None
    cause: NotRequired[CauseCode]
    name: NotRequired[
        Annotated[str, Field(description="In plans, of records that SafetyAmp is known to have.")]
    ]


class Vanished(TypedDict):
    count: Count
    keys: list[str]
    with_access: NotRequired[
        Annotated[Count, Field(description="Of users: how many may still sign in; they are named first.")]
    ]


class OtherForm(TypedDict):
    action: Action
    fields: list[str]


class LeftOutChange(TypedDict):
    key: str
    action: Action
    reason: str
    now: OtherForm | None


class LeftOut(TypedDict):
    """What somebody approved and what was no longer wanted in the same form by then."""

    count: Count
    changes: list[LeftOutChange]


class EntityProgress(TypedDict):
    batches: Count | None
    batches_done: Count | None
    changes: Count | None
    changes_done: Count | None
    ends_about: Time | None


class EntityReport(TypedDict):
    phase: EntityPhase
    held: bool
    reason: str | None
    planned: dict[str, Count]
    held_changes: Annotated[
        dict[str, Count], Field(description="By action, what waits for an approval, or would.")
    ]
    problems: list[RecordProblem]
    problems_total: Count
    problems_by_kind: dict[str, Count]
    vanished: Vanished
    left_out: LeftOut
    progress: EntityProgress
    # The rest are `sync.documents.report.COUNTS`, as far as they have been counted.
    source: NotRequired[Count]
    unchanged: NotRequired[Count]
    created: NotRequired[Count]
    updated: NotRequired[Count]
    deactivated: NotRequired[Count]
    skipped: NotRequired[Count]
    invalid: NotRequired[Count]
    failed: NotRequired[Count]
    waiting: NotRequired[Count]
    unapproved: NotRequired[Count]


class Run(TypedDict):
    run_id: RunId
    url: str
    changes_url: str
    phase: RunPhase
    mode: Mode
    cause: str
    refresh: bool
    retry_failed: bool
    keys: list[str]
    requested_at: Time
    finished_at: Time | None
    duration_seconds: float | None
    calls: Annotated[dict[str, Count], Field(description="Calls per upstream.")]
    waited_seconds: float
    entities: dict[str, EntityReport]


class PlannedField(TypedDict):
    """`before` is null on creation; a reference that has no id yet is `{entity, key}`."""

    field: str
    before: JsonValue
    after: JsonValue


class PlannedRecord(TypedDict):
    key: str
    name: Annotated[str, Field(description="As far as SafetyAmp's or the plan's fields tell it.")]
    why: Annotated[
        str | None, Field(description="What Vista says now of somebody whose access changes; else null.")
    ]
    fields: list[PlannedField]
    warnings: list[str]
    held: Annotated[bool, Field(description="Whether it waits for an approval.")]


class PlannedPart(TypedDict):
    """The changes of one kind."""

    action: Action
    count: Count
    held: Annotated[Count, Field(description="How many of them wait for an approval.")]
    by_field: dict[str, Count]
    records: Annotated[
        list[PlannedRecord], Field(description="All whose access changes; of others the first.")
    ]


class EntityPlan(TypedDict):
    entity: EntityName
    phase: EntityPhase
    reason: str | None
    planned: Annotated[bool, Field(description="Whether there is a plan.")]
    held: Annotated[list[str], Field(description="The guard's reasons.")]
    parts: Annotated[list[PlannedPart], Field(description="Those with changes, the most dangerous first.")]
    problems: list[RecordProblem]
    vanished: Vanished


class RunPlan(TypedDict):
    run_id: RunId
    mode: Mode
    phase: RunPhase
    requested_at: Time
    entities: list[EntityPlan]
    notes: Annotated[list[str], Field(description="What could not be looked up.")]


class Outcome(TypedDict):
    result: Annotated[ChangeResult, Field(description="`planned`: nothing has become of it yet.")]
    target_id: TargetId | None
    adopted: Annotated[bool, Field(description="A creation without an answer was found to have happened.")]
    dropped: Errors
    errors: Errors
    reason: str | None
    at: Time | None


class Change(Outcome):
    entity: EntityName
    key: str
    action: Action
    before: Fields
    after: Annotated[
        dict[str, JsonValue],
        Field(description="A reference that is not resolved yet is {entity, key}."),
    ]
    warnings: list[str]


class ChangePage(TypedDict):
    changes: list[Change]
    next: str | None
    problems: UnreadableDocuments


class TrendDay(TypedDict):
    """A day in UTC, and what the runs that were asked for on it did."""

    day: Annotated[str, Field(json_schema_extra={"format": "date"})]
    runs: Count
    created: Count
    updated: Count
    deactivated: Count
    findings: Annotated[
        Count | None,
        Field(
            description="Records invalid, failed or waiting by the day's last run that looked at all of their"
            " entity; null where none did."
        ),
    ]
    calls: Annotated[dict[str, Count], Field(description="Calls per upstream.")]
    longest_seconds: Annotated[
        float | None, Field(description="Of the runs of many records that were to apply; null: none.")
    ]


class Trends(TypedDict):
    days: Annotated[list[TrendDay], Field(description="The oldest first.")]
    complete_since: Annotated[
        str,
        Field(
            description="Days before it are left out: their runs are more than one request reads.",
            json_schema_extra={"format": "date"},
        ),
    ]
    runs_read: Count
    problems: UnreadableDocuments


# -- what operators decided --------------------------------------------------------------------------------


class Decision(TypedDict):
    id: str
    at: Time
    action: Annotated[
        str, Field(description="sync, retry, approve, cancel, pause, resume, resubmit, empty-cache, rules.")
    ]
    who: Annotated[str | None, Field(description="The name; null where nobody said it.")]
    who_id: Annotated[str | None, Field(description="The object id in Entra of who has signed in.")]
    known: Annotated[
        str,
        Field(
            description="How the name is known. `entra`: signed in; `stated`: the caller's own word; `key`: a"
            " function key, and nobody said whose; `local`: the user of the machine."
        ),
    ]
    reason: str | None
    run_id: Annotated[str | None, Field(description="The run that it is about, or that came of it.")]
    entities: list[str]
    keys: list[str]
    given: Annotated[dict[str, str], Field(description="What else was said, such as the mode of a run.")]
    done: Annotated[
        bool | None,
        Field(
            description="Whether it was carried out; null as long as nobody knows, or for good after a crash."
        ),
    ]
    ended_at: Time | None
    detail: Annotated[str | None, Field(description="Why it was not carried out.")]


class RulesVersion(TypedDict):
    """What was pushed, or put in force again."""

    number: Count
    digest: Annotated[str, Field(description="Of its text, or `default`: the file that ships.")]
    at: Time
    who: str | None
    who_id: str | None
    known: Annotated[str, Field(description="How the name is known, as of a decision.")]
    reason: str | None
    decision: Annotated[str, Field(description="The id of the decision.")]
    back_to: Annotated[Count | None, Field(description="The version that it repeats.")]


class Rules(TypedDict):
    """The rules that a run which begins now keeps to its end, or a version of them."""

    source: Annotated[
        Literal["default", "file", "pushed"],
        Field(description="`file`: RULES_FILE, whatever is pushed; `default`: the file that ships."),
    ]
    version: Annotated[RulesVersion | None, Field(description="Of what was pushed.")]
    text: Annotated[str | None, Field(description="A `rules.toml`; null where it cannot be read.")]
    problem: Annotated[str | None, Field(description="Why nothing can begin under these rules.")]


class RulesHistory(TypedDict):
    in_force: Annotated[
        Count | None, Field(description="The version; 0: the default file; null: RULES_FILE is set.")
    ]
    versions: Annotated[list[RulesVersion], Field(description="The newest first; version 0 is not listed.")]


class RuleDifference(TypedDict):
    rule: Annotated[str, Field(description="Where it stands, such as `employees.fields.mobile_phone.from`.")]
    before: JsonValue
    after: JsonValue


class RulesDiff(TypedDict):
    """What two versions say otherwise, each over the default file."""

    a: Count
    b: Count
    rules: list[RuleDifference]
    lines: Annotated[list[str], Field(description="The same of their texts, as `diff -u` shows it.")]
    problems: Annotated[list[str], Field(description="Why one of them cannot be understood any more.")]


class RulesPut(TypedDict):
    """What is in force then."""

    in_force: Count
    version: RulesVersion | None
    changed: Annotated[bool, Field(description="false: it was in force before, and nothing was decided.")]
    run_id: Annotated[
        RunId | None, Field(description="The run under way, which keeps the rules that it began with.")
    ]


class Examples(TypedDict):
    count: Count
    keys: Annotated[list[str], Field(description="The first ten.")]


class PreviewedScope(TypedDict):
    """Whom the rules leave alone, or switch off: out of scope, or not in the pilot; in the sources as they
    are now."""

    source: Annotated[Count, Field(description="Records of the source.")]
    outside: Annotated[Count, Field(description="Of these out of scope.")]
    enter: Annotated[Examples, Field(description="Out of scope by the rules in force, not by these.")]
    leave: Annotated[Examples, Field(description="Out of scope by these rules, not by those in force.")]
    in_safetyamp: Annotated[Count, Field(description="Of those who leave.")]


class PreviewedValue(TypedDict):
    key: str
    before: JsonValue
    after: JsonValue


class PreviewedField(TypedDict):
    field: str
    count: Count
    examples: Annotated[list[PreviewedValue], Field(description="The first ten.")]


class PreviewedAction(TypedDict):
    action: Action
    count: Count
    keys: Annotated[list[str], Field(description="The first ten.")]
    fields: Annotated[list[PreviewedField], Field(description="Of updates: the most frequent first.")]


class EntityPreview(TypedDict):
    entity: EntityName
    phase: EntityPhase
    reason: str | None
    planned: Annotated[bool, Field(description="Whether there is a plan.")]
    held: Annotated[list[str], Field(description="Why the guard would hold it.")]
    scope: Annotated[
        PreviewedScope | None,
        Field(description="null where neither rules leave anybody alone, or that cannot be told."),
    ]
    actions: Annotated[list[PreviewedAction], Field(description="Those with changes, most dangerous first.")]


class RulesPreview(TypedDict):
    """What a run under these rules would do, with what the next run would do anyway."""

    run_id: RunId
    phase: RunPhase
    requested_at: Time
    entities: list[EntityPreview]
    plan_url: Annotated[str, Field(description="All of it by name; `format=csv` for a spreadsheet.")]
    notes: Annotated[list[str], Field(description="What could not be read.")]


class DecisionPage(TypedDict):
    decisions: list[Decision]
    next: Annotated[
        str | None,
        Field(description="Where the next page begins, which there may be although this one is not full."),
    ]
    problems: UnreadableDocuments


# -- one record: explained, synced on demand, or found by name --------------------------------------------


Verdict = Literal[
    Action,
    "nothing",
    "skipped",
    "invalid",
    "refused",
    "waiting",
    "held",
    "paused",
    "off",
    "under way",
    "unknown",
]
"""What comes next of a record: an action, or why there is none."""


class Call(TypedDict):
    method: str
    path: str


MadeCall = Annotated[Call | None, Field(description="The call to SafetyAmp; null when none was made.")]


class Rejection(TypedDict):
    key: str
    kind: RejectionKind
    reason: str
    field: str | None
    cause: NotRequired[CauseCode]


class Difference(TypedDict):
    action: Action
    before: Fields
    after: Fields


class SourceSide(TypedDict):
    read: bool
    problem: str | None
    found: bool | None
    record: Fields | None


class MappedSide(TypedDict):
    fields: Fields
    defaults: Fields
    active: bool
    warnings: list[str]


class LastRefusal(TypedDict):
    since: Time | None
    at: Time | None
    errors: Errors
    suggestion: str


class SafetyAmpSide(TypedDict):
    known: bool
    as_of_run: str | None
    found: Literal["yes", "no", "several", "unsure"]
    not_listed_since_run: Annotated[
        str | None,
        Field(
            description="The run whose listing lacked the record first, while it is not known to be deleted."
        ),
    ]
    target_ids: list[TargetId]
    fields: Fields | None
    switched_off_by_run: str | None
    refused_fields: list[str]
    failure: LastRefusal | None


class PastChange(Change):
    run_id: RunId
    url: str
    run_phase: RunPhase
    entity_phase: EntityPhase
    requested_at: Time
    batch: Count
    call: MadeCall


class History(TypedDict):
    changes: list[PastChange]
    runs_searched: Count


class RecordHistory(TypedDict):
    entity: EntityName
    key: str
    changes: Annotated[list[PastChange], Field(description="Newest first.")]
    runs_searched: Count
    next: Annotated[RunId | None, Field(description="The run after which the next page goes on.")]
    problems: UnreadableDocuments


class Next(TypedDict):
    verdict: Verdict
    reason: str
    suggestion: str
    at: Annotated[Time | None, Field(description="When the run begins that does it; null when no run will.")]
    run_url: str | None
    approve_url: str | None


class Explanation(TypedDict):
    entity: EntityName
    key: str
    at: Time
    summary: Annotated[list[str], Field(description="The answer in four sentences, without values.")]
    source: SourceSide
    mapped: MappedSide | None
    rejected: Rejection | None
    notes: list[str]
    safetyamp: SafetyAmpSide
    difference: Difference | None
    history: History
    decisions: Annotated[
        list[Decision], Field(description="That name this record, among the last hundred; newest first.")
    ]
    next: Next


class SourceStep(TypedDict):
    found: bool
    record: Fields | None


class MappedStep(TypedDict):
    mapped: Fields
    defaults: Fields
    active: bool
    warnings: list[str]


class TargetStep(TypedDict):
    found: Found
    target_ids: list[TargetId]
    known: Fields | None


class Steps(TypedDict):
    source: SourceStep | None
    rejected: Rejection | None
    mapped: MappedStep | None
    target: TargetStep | None
    problems: list[str] | None
    difference: Difference | None
    call: MadeCall
    result: Outcome | None


class RecordSync(TypedDict):
    run_id: RunId
    url: str
    entity: EntityName
    key: str
    mode: Mode
    phase: RunPhase
    reason: str | None
    steps: Steps


class FoundRecord(TypedDict):
    key: str
    name: str
    in_source: bool
    in_safetyamp: bool
    note: NotRequired[
        Annotated[str, Field(description="What else should be known; absent where there is nothing.")]
    ]


class FoundRecords(TypedDict):
    found: list[FoundRecord]
    more: bool
    nearly: Annotated[
        bool, Field(description="Nothing has all these words; what was found has similar ones.")
    ]
    problem: Annotated[str | None, Field(description="Why the source could not be looked through.")]


class Names(TypedDict):
    names: Annotated[
        dict[str, str], Field(description="By key, as SafetyAmp or the source has it; without the nameless.")
    ]
    problems: Annotated[list[str], Field(description="A source that tells no names just now.")]


# -- what went wrong: failing records, and messages that were given up ------------------------------------


class FailureGroup(TypedDict):
    """The records of an entity that fail in one way for one cause."""

    entity: EntityName
    kind: str
    cause: Annotated[
        str, Field(description="What is said of all of them; `what` where that is not one sentence.")
    ]
    code: Annotated[
        str | None,
        Field(description="Of docs/findings.md; null, or one that is not there, of another release."),
    ]
    what: Annotated[str, Field(description="The cause in a few words.")]
    owner: Owner
    where: str | None
    enter: str | None
    again: Annotated[bool, Field(description="Trying again may help although the source is as it was.")]
    suggestion: str
    since: Time
    at: Annotated[Time, Field(description="When it was last tried or found.")]
    since_at_least: Annotated[bool, Field(description="It may be older: that was the oldest run looked at.")]
    count: Count
    reasons: Annotated[
        dict[str, Count], Field(description="What is said of the records, the first ten; of how many each.")
    ]
    keys: Annotated[list[str], Field(description="The first hundred.")]


class UnfinishedEntity(TypedDict):
    entity: EntityName
    phase: EntityPhase
    reason: str | None
    run_id: RunId
    url: str
    at: Time | None
    suggestion: str


class Failures(TypedDict):
    total: Count
    groups: list[FailureGroup]
    entities: list[UnfinishedEntity]


Blocks = Literal["creation", "changes", "access", "field", "nothing"]
"""What a finding keeps from happening: the record is not created, or gets no changes; somebody's access is
wrong; a field is left out; nothing yet."""


class FixRow(TypedDict):
    """One thing to mend, of one record."""

    owner: Owner
    entity: EntityName
    key: str
    name: Annotated[str, Field(description="As the source or SafetyAmp has it; empty where neither tells.")]
    cause: Annotated[
        str | None,
        Field(description="Of docs/findings.md; null, or one that is not there, of another release."),
    ]
    what: Annotated[str, Field(description="The cause in a few words, the same for all records.")]
    reason: str
    field: str | None
    value: Annotated[JsonValue, Field(description="In the source now, where a list may hold it; else null.")]
    where: str | None
    enter: str | None
    again: Annotated[bool, Field(description="It may come right although the source is as it was.")]
    since: Time
    since_at_least: Annotated[bool, Field(description="It may be older: that was the oldest run looked at.")]
    blocks: Blocks


class FixGroup(TypedDict):
    """What rows of one cause have in common; `count` is of records, of which one may have several rows."""

    owner: Owner
    cause: str | None
    what: str
    where: str | None
    enter: str | None
    count: Count
    entities: dict[str, Count]


class LookedAt(TypedDict):
    """The last run that looked at all of an entity; null where none is kept."""

    entity: EntityName
    run_id: RunId | None
    at: Time | None


class FixList(TypedDict):
    at: Time
    owner: Annotated[Owner | None, Field(description="Whose it is; null: everybody's.")]
    total: Count
    owners: Annotated[dict[str, Count], Field(description="Of everybody, whoever was asked for.")]
    groups: Annotated[list[FixGroup], Field(description="The largest first.")]
    rows: list[FixRow]
    looked_at: list[LookedAt]
    problems: Annotated[list[str], Field(description="Sources that tell no names and values just now.")]


class DeadLetter(TypedDict):
    id: str
    queue: str
    message_id: str | None
    reason: str
    delivery_count: Count
    at: Time | None
    run_id: str | None
    entity: EntityName | None
    batch: Count | None
    can_be_resubmitted: bool
    advice: str


class DeadLetterPage(TypedDict):
    dead_letters: list[DeadLetter]
    next: str | None


class Resubmission(TypedDict):
    id: str
    sent: bool
    advice: str


class Resubmissions(TypedDict):
    results: list[Resubmission]


# -- the app itself, and refusals -------------------------------------------------------------------------


class ProblemMembers(TypedDict, total=False):
    """What only some problems have."""

    run_id: RunId
    url: str
    problems: list[str]
    needed_role: Role


class Problem(ProblemMembers):
    """Problem details (RFC 9457); `hint` says what to do."""

    type: str
    status: int
    title: str
    detail: str
    hint: str


class Health(TypedDict):
    status: Literal["healthy"]
    version: str


class Readiness(TypedDict):
    status: Literal["ready", "not ready"]
    missing: list[str]


class Me(TypedDict):
    sign_in: Literal["keys", "entra"]
    kind: Literal["key", "person", "app"]
    id: Annotated[str | None, Field(description="Object id in Entra; null for a key.")]
    name: str | None
    roles: list[Role]
    may: Annotated[list[str], Field(description="Operations, by operationId.")]


class Dependency(TypedDict):
    name: str
    status: FindingStatus
    ok: bool
    text: str
    advice: str
    latency_ms: Count | None
    settings: list[str]


class Breaker(TypedDict):
    name: str
    state: StateName
    failures: Count
    retry_after_seconds: float
    open_seconds: float


class Limiter(TypedDict):
    used: Count
    limit: Count | None
    blocked_seconds: float
    period_seconds: float
    reserve: Count


class Queues(TypedDict):
    entities_waiting: Count
    batches_due: Count
    batches_scheduled: Count
    dead_letters: Count


class Kept(TypedDict):
    runs: Count
    oldest_at: Annotated[Time | None, Field(description="When the oldest of these runs was asked for.")]


class Schedule(TypedDict):
    schedule: str
    next: Time | None


class Pause(TypedDict):
    at: Time
    reason: str
    who: str | None


class Status(TypedDict):
    at: Time
    dependencies: list[Dependency]
    breakers: dict[str, Breaker]
    limiter: Limiter
    queues: Queues
    schedules: dict[str, Schedule]
    paused: dict[str, Pause]
    active_run: RunSummary | None
    last_runs: list[RunSummary]
    last_good_run_ended_at: Time | None
    kept: Kept
    problems: UnreadableDocuments
    versions: dict[str, str | int | None]


SettingSource = Annotated[
    Literal["environment", "local.settings.json", "Key Vault", "default", "not set", "unknown"],
    Field(
        description="`environment`: app settings in Azure, with the references that Azure has resolved."
        " `unknown`: the settings are wrong, so nobody can say what the vault holds."
    ),
]


class Setting(TypedDict):
    name: str
    section: str
    docs: Annotated[str, Field(description="Where it is explained, in the repository.")]
    source: SettingSource
    vault_secret: Annotated[
        str | None, Field(description="What it is called in Key Vault, if it may be there.")
    ]
    secret: bool
    is_set: Annotated[bool | None, Field(description="Not by its default; null where that is unknown.")]
    hidden: Annotated[
        bool, Field(description="There is a value that is not told: it is a secret, or looks like one.")
    ]
    value: Annotated[str | None, Field(description="What counts, as it was written; null where hidden.")]
    default: str | None
    required: bool
    problem: str | None


class LastCall(TypedDict):
    """A call that ended at `at`."""

    at: Time
    method: str
    path: Annotated[str, Field(description="With {id} in the place of every record's id, without a query.")]
    status: Annotated[str, Field(description="Of HTTP, or `no answer`.")]
    seconds: float
    function: Annotated[str | None, Field(description="Which function of this app made it.")]


class LastCalls(TypedDict):
    calls: Annotated[list[LastCall], Field(description="Of each attempt one, the newest first.")]
    shared: Annotated[
        bool, Field(description="Of all instances; false, while Redis is away: of the one that answers.")
    ]


class SettingList(TypedDict):
    settings: list[Setting]


class Control(TypedDict):
    paused: dict[str, Pause]


class Forgotten(TypedDict):
    deleted: Count
