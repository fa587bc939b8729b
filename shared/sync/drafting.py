"""From source records and state to a draft of changes; no I/O but looking references up."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from shared.sync.compare import Change, compare, digest_of
from shared.sync.entities.guarded import desired_of
from shared.sync.model import Desired, EntityMapping, Rejected, SourceRecord
from shared.sync.reader import mapping_options
from shared.sync.resolver import Resolver
from shared.sync.runs import Run
from shared.sync.services import Services
from shared.sync.state import FAILURE, EntityState, Entry

FIRST_THINGS_FIRST = {"deactivate": 0, "create": 1, "reactivate": 1, "update": 2}
"""Leavers before joiners, joiners before changes (design, section 4)."""


@dataclass
class Draft:
    """A plan in the making: changes, everything to report, and which records the source had."""

    changes: list[Change] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    seen: set[str] = field(default_factory=set)
    state_changed: bool = False

    def reject(self, rejected: Rejected) -> None:
        """Count and report a record that is not sent."""
        self.counts[rejected.kind] += 1
        self.problems.append(asdict(rejected))

    def report(self, key: str, reason: str) -> None:
        """Something an operator should know of a record that is counted elsewhere."""
        self.problems.append({"key": key, "kind": "reported", "reason": reason, "field": None})


def draft_changes(
    services: Services,
    mapping: EntityMapping,
    state: EntityState,
    resolver: Resolver,
    run: Run,
    source: Any,
    *,
    trust_digests: bool,
) -> Draft:
    """Compare every source record with the state, or only those that the run's request names.

    With `trust_digests` a record whose digest is the one of its last success is not looked at; after a
    listing each is compared field by field. The state is changed in place where no call is needed
    (digests, adopted records); `Draft.state_changed` tells.
    """
    drafting = _Drafting(services, mapping, state, resolver, run, trust_digests)
    for record in mapping.records(source):
        drafting.consider(record, source)
    drafting.draft.changes.sort(key=lambda change: FIRST_THINGS_FIRST[change.action])
    return drafting.draft


class _Drafting:
    def __init__(
        self,
        services: Services,
        mapping: EntityMapping,
        state: EntityState,
        resolver: Resolver,
        run: Run,
        trust_digests: bool,
    ) -> None:
        self.draft = Draft()
        self._mapping = mapping
        self._state = state
        self._resolver = resolver
        self._trust_digests = trust_digests
        self._keys = frozenset(run.request.keys)
        self._retry_failed = run.request.retry_failed
        self._reenable = services.settings.reenable_disabled
        # Whatever a comparison depends on beside the record: a changed setting must be noticed.
        self._fingerprint = repr((mapping_options(services.settings), self._reenable))

    def consider(self, record: SourceRecord | Rejected, source: Any) -> None:
        draft = self.draft
        draft.seen.add(record.key)
        if self._keys and record.key not in self._keys:
            return
        draft.counts["source"] += 1
        if isinstance(record, Rejected):
            draft.reject(record)
            return
        digest = digest_of(self._mapping.version, self._fingerprint, record.facts)
        if self._trust_digests and self._state.digest(record.key) == digest:
            draft.counts["unchanged"] += 1
            return
        if twins := self._twins(record):
            ids = ", ".join(str(target_id) for target_id in twins)
            draft.reject(
                Rejected(
                    record.key, "invalid", f"several SafetyAmp records claim this key (ids {ids}): keep one"
                )
            )
            return
        desired = desired_of(self._mapping, record, source)
        if isinstance(desired, Rejected):
            draft.reject(desired)
            return
        self._compare(record, desired, digest)

    def _compare(self, record: SourceRecord, desired: Desired, digest: str) -> None:
        draft = self.draft
        entry = self._state.entry(record.key)
        if entry is None or entry.target_id is None:
            entry = self._adopt(record) or entry
        # Somebody who has left is tried again in every run: the record's data will not change any more.
        if entry and desired.active and self._is_known_failure(entry, digest):
            draft.reject(Rejected(record.key, "invalid", _failure_text(entry)))
            return
        result = compare(
            desired,
            entry,
            digest,
            core=self._mapping.core,
            resolve=self._resolver.resolve,
            reenable=self._reenable,
        )
        if result.note:
            draft.report(record.key, result.note)
        if result.change:
            draft.counts[result.change.action] += 1
            draft.changes.append(result.change)
        elif entry is None or entry.target_id is None:
            # Everybody who ever left is among these: counted, but not listed one by one.
            draft.counts["skipped"] += 1
        else:
            draft.counts["unchanged"] += 1
            self._settle(record.key, entry, digest)
        for warning in desired.warnings:
            draft.report(record.key, warning)

    def _settle(self, key: str, entry: Entry, digest: str) -> None:
        if entry.digest != digest:
            self._state.settle(key, digest)
            self.draft.state_changed = True

    def _twins(self, record: SourceRecord) -> list[int | str]:
        """Ids of several SafetyAmp records that claim the key, or the match value of an unknown key."""
        if record.key in self._state.ambiguous:
            return self._state.ambiguous[record.key]
        match = self._match_value(record)
        ids = self._state.unmatched_ids(match) if match else []
        return ids if len(ids) > 1 else []

    def _match_value(self, record: SourceRecord) -> str | None:
        """The alternative match value of a record that is not known in SafetyAmp by its key."""
        known = self._state.target_id(record.key) is not None
        return None if known else self._mapping.match_value(record)

    def _adopt(self, record: SourceRecord) -> Entry | None:
        """A record that existed before the sync and is recognised by its alternative match value."""
        match = self._match_value(record)
        if not match or not self._state.unmatched_ids(match):
            return None
        entry = self._state.take_unmatched(match)
        self._state.put(record.key, entry)
        self.draft.state_changed = True
        return entry

    def _is_known_failure(self, entry: Entry, digest: str) -> bool:
        failure = entry.flags.get(FAILURE)
        return failure is not None and failure["digest"] == digest and not self._retry_failed


def _failure_text(entry: Entry) -> str:
    errors = entry.flags[FAILURE]["errors"]
    fields = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in errors.items())
    return f"SafetyAmp refused this record and its data has not changed ({fields}): mend it in the source"
