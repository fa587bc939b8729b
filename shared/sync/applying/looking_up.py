"""One listing in which all batches of an entity look for the records of creations that got no answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.errors import LeaseHeld, UnreadableDocument
from shared.storage.decoding import Time, decode
from shared.storage.documents import read_json, to_json
from shared.sync import paths
from shared.sync.applying.batches import due_at, missing_batches
from shared.sync.documents.plans import Plan
from shared.sync.documents.progress import Progress, read_progress
from shared.sync.documents.runs import Run
from shared.sync.entities.keys import normal_key
from shared.sync.lease import LEASE_SECONDS, held_lease
from shared.sync.lost_answers import settled_after
from shared.sync.mapping import EntityMapping
from shared.sync.messages import BatchMessage
from shared.sync.model import Target
from shared.sync.planning.listing import UNIQUE_VALUE, TargetLister, kept_form
from shared.sync.services import Services


class TooEarly(Exception):
    """The listing has to wait; `delay_seconds` says how long."""

    def __init__(self, delay_seconds: float) -> None:
        super().__init__(f"not before {delay_seconds:.0f} s")
        self.delay_seconds = delay_seconds


@dataclass(frozen=True)
class _Found:
    """`at` is when its reading began; none in documents of releases that did not keep it."""

    targets: list[Target]
    at: Time | None = None

    def covers(self, own: Progress) -> bool:
        """Whether all that is looked for was known to be in doubt then. What a process that died had begun
        comes to be so later, and is not among the targets. What was sent anew is not looked for again."""
        in_doubt = [creation.at for creation in own.open.values() if not creation.sent_anew]
        return self.at is not None and all(_moment(at) <= _moment(self.at) for at in in_doubt)


class LookUp:
    """The listing as one batch sees it."""

    def __init__(
        self,
        services: Services,
        run: Run,
        plan: Plan,
        message: BatchMessage,
        mapping: EntityMapping,
    ) -> None:
        self._services = services
        self._run = run
        self._plan = plan
        self._message = message
        self._mapping = mapping
        self._path = paths.look_up(run.run_id, message.entity)
        self._pages = paths.look_up_pages(run.run_id, message.entity)

    def targets(self, own: Progress) -> list[Target]:
        """What SafetyAmp has of all that is looked for. Raises TooEarly, and as `TargetLister.targets`.

        When no batch has anything else to do the first of them reads it, the others find it there: at most
        one listing for an entity and run. Departments do not wait for one another, because a department needs
        the region that an earlier batch looks for; their listing is a single call.
        """
        if self._message.entity == "departments":
            self._wait_until_settled([own])
            return TargetLister(self._services, self._pages).targets(self._mapping)
        found = self._found()
        return found.targets if found is not None and found.covers(own) else self._read(own)

    def _found(self) -> _Found | None:
        """None when nobody has read the listing yet, or what was noted cannot be read: it is made again."""
        try:
            value = read_json(self._services.documents, self._path)
            return None if value is None else decode(_Found, value, self._path)
        except UnreadableDocument:
            return None

    def _read(self, own: Progress) -> list[Target]:
        entity = self._message.entity
        waiting = [own, *self._others()]
        self._wait_until_settled(waiting)
        keys = {
            normal_key(entity, creation.key) for progress in waiting for creation in progress.open.values()
        }
        at = self._services.clock.now().isoformat()
        try:
            with held_lease(self._services, self._pages) as lease:
                lister = TargetLister(lease.services, self._pages, lease=lease)
                # Titles and assets that are not found are sent anew.
                listed = lister.targets(self._mapping, twice=entity not in UNIQUE_VALUE)
        except LeaseHeld:
            raise TooEarly(LEASE_SECONDS) from None
        # Only what somebody looks for: every batch reads it. Assets have no key.
        wanted = [
            target
            for target in listed
            if (keys & {target.key, target.match} if target.key is not None else target.match is not None)
        ]
        self._services.documents.write(
            self._path, to_json({"targets": [kept_form(target) for target in wanted], "at": at})
        )
        return wanted

    def _others(self) -> Iterator[Progress]:
        """The other batches without outcome; raises TooEarly for all batches but the first of them, and for
        that one while another may still create."""
        documents, run, entity = self._services.documents, self._run, self._message.entity
        missing = missing_batches(documents, run, entity, self._plan)
        if min(missing) != self._message.batch:
            raise self._after(max(missing))
        # The last ones first: they are the busy ones.
        for number in reversed(missing[1:]):
            try:
                progress = read_progress(documents, run.run_id, entity, number)
            except UnreadableDocument:
                # Whoever gets its message ends it.
                progress = None
            if progress is None or not progress.waiting:
                raise self._after(number)
            yield progress

    def _after(self, number: int) -> TooEarly:
        """Look again when this batch goes on, and not before everything can be settled."""
        services, run, entity = self._services, self._run, self._message.entity
        due = due_at(services.documents, services.settings, run, entity, self._plan, number)
        return TooEarly(max(due - services.clock.now(), settled_after(services)).total_seconds())

    def _wait_until_settled(self, waiting: list[Progress]) -> None:
        last = max(creation.at for progress in waiting for creation in progress.open.values())
        left = _moment(last) + settled_after(self._services) - self._services.clock.now()
        if left > timedelta():
            raise TooEarly(left.total_seconds())


def _moment(at: str) -> datetime:
    return datetime.fromisoformat(at)
