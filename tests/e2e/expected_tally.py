"""What a run does to the records of one resource, and how its report counts them."""

from __future__ import annotations

from collections import Counter

from tests.e2e.expected_content import FIELDS, Content, Records
from tests.e2e.expected_values import Record, present

COUNTS = (
    *("source", "unchanged", "created", "updated", "deactivated"),
    *("skipped", "invalid", "failed", "waiting"),
)
SERVER_DEFAULTS: dict[str, Record] = {"users": {"bypass_sso": False, "sites": []}}
"""What the server gives a new record in fields that the sync does not send."""


class Tally:
    """The records of a resource, changed step by step, and the counts of the entity behind it."""

    def __init__(self, resource: str, before: Content) -> None:
        self.records: Records = {key: record.copy() for key, record in before[resource].items()}
        self.counts: Counter[str] = Counter()
        self.going_without = 0
        """Records that are there without a value of the source."""
        self.skipped_later = 0
        """Records that are updated and that the next run will skip."""
        self._blank = {**dict.fromkeys(FIELDS[resource]), **SERVER_DEFAULTS.get(resource, {})}

    def count(self, what: str) -> None:
        """A source record that ended as `what`."""
        self.counts["source"] += 1
        self.counts[what] += 1

    def create(self, key: str, fields: Record) -> None:
        """A new record; fields without value are not sent."""
        self.count("created")
        self.records[key] = {**self._blank, **present(fields)}

    def update(self, key: str, fields: Record, *, otherwise: str = "unchanged") -> None:
        """A record that is there: what differs and is not empty is changed. Where nothing does it counts as
        `otherwise`."""
        before = self.records[key]
        self.records[key] = {**before, **present(fields)}
        is_equal = self.records[key] == before
        self.count(otherwise if is_equal else "updated")
        self.skipped_later += otherwise == "skipped" and not is_equal

    def report(self) -> dict[str, int]:
        """All counts, zeros too."""
        return {name: self.counts[name] for name in COUNTS}
