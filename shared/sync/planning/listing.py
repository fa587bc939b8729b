"""Listing SafetyAmp's records of an entity, over several executions when the window is small."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from shared.clients.http.answers import METHOD_NOT_ALLOWED
from shared.clients.http.call_meter import Meter
from shared.errors import (
    AccessRefused,
    Advised,
    APIError,
    ConfigurationError,
    NotFound,
    RetryLater,
    SettingProblem,
    UnreadableDocument,
    UpstreamUnavailable,
)
from shared.storage.decoding import decode
from shared.storage.documents import read_json, to_json
from shared.sync import paths
from shared.sync.entities.guarded import target_of
from shared.sync.entities.keys import normal_key
from shared.sync.lease import Lease
from shared.sync.mapping import EntityMapping
from shared.sync.model import ApiRow, EntityName, JsonValue, Target
from shared.sync.planning.guard import refuse_shrunk_listing
from shared.sync.planning.limits import limits_of
from shared.sync.services import Services

logger = logging.getLogger(__name__)

RESOURCES: dict[EntityName, str] = {
    "departments": "site_clusters",
    "jobs": "sites",
    "titles": "user_titles",
    "employees": "users",
    "vehicles": "assets",
}
"""SafetyAmp's name of each entity's resource."""

UNIQUE_VALUE: dict[str, str] = {"departments": "external_code", "jobs": "ext_id", "employees": "email"}
"""The field of which SafetyAmp refuses a second record with the same value
(docs/contracts/safetyamp.md#unique-values): a creation of these can be sent again, and is carried out once.
Of titles and assets it is taken to accept a second one without a word."""

MOST_ASKED_FOR = 25
"""Users asked for one by one in one planning, half a window; the others wait for the next listing."""


@dataclass(frozen=True)
class _Kept:
    """Pages of a listing that goes on later."""

    page: int = 0
    complete: bool = False
    again: bool = False
    targets: list[Target] = field(default_factory=list)
    asked_for: dict[str, Target | None] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    waited_seconds: float = 0.0


class TargetLister:
    """A listing that survives being interrupted: when the limiter makes it wait too long, or SafetyAmp does
    not answer, the pages read so far are kept in a document, and the next execution goes on from there."""

    def __init__(
        self, services: Services, path: str, *, meter: Meter | None = None, lease: Lease | None = None
    ) -> None:
        """`path` is where pages are kept, under `lease` if it is given: it is taken before the first call,
        and LeaseHeld raised when somebody else lists. Calls of earlier executions are added to `meter` if it
        is given."""
        self._services = services
        self._path = path
        self._lease = lease
        self._meter = meter
        self._complete: tuple[int, list[Target]] | None = None
        self._asked_for: dict[str, Target | None] = {}

    def take_lease(self) -> None:
        """Keep others from listing from now on. Raises LeaseHeld when somebody does."""
        if self._lease:
            self._lease.take()

    def believable_targets(
        self, mapping: EntityMapping, last_listed: int | None, *, twice: bool = False
    ) -> list[Target]:
        """All records of the entity. Raises as `targets`, and IncompleteRead when far fewer records came
        than the `last_listed` of the last listing."""
        targets = self.targets(mapping, twice=twice)
        settings = self._services.settings
        limits = limits_of(settings)
        refuse_shrunk_listing(mapping.name, len(targets), last_listed, limits, paths.state(mapping.name))
        return targets

    def targets(self, mapping: EntityMapping, *, twice: bool = False) -> list[Target]:
        """All records of the entity, complete. Raises RetryLater when it has to go on later, and the
        client's errors.

        `twice`: read a second time, and take what either reading has, because something will be created that
        is not found. A record that is deleted while pages are read moves all after it up by one, and the
        first of the next page is in none. Even a single page may have been two, of a server whose pages are
        smaller than asked for: where SafetyAmp would refuse a second record, that is left to it.
        """
        self.take_lease()
        return self._clusters(mapping) if mapping.name == "departments" else self._pages(mapping, twice)

    def ask_for(
        self,
        mapping: EntityMapping,
        target_ids: Iterable[int | str],
        *,
        beyond_doubt: Container[int | str] = (),
    ) -> tuple[list[Target], set[int | str]]:
        """Of records that two listings lacked: those that SafetyAmp shows when asked for by id, and the ids
        that it does not have. At most `MOST_ASKED_FOR` users are asked for; of the others, of whom nothing is
        said, the next listing tells. Of the other resources there is no such call
        (docs/contracts/safetyamp.md#one-record), and should a server have none for users either: a 404
        beside two listings is proof enough. An answer that is neither the user nor such a status says nothing
        either, but of those that are gone `beyond_doubt` anyway.

        Raises RetryLater when it has to go on later (the answers are kept), and the client's errors.
        """
        if mapping.name != "employees":
            return [], set(target_ids)
        self.take_lease()
        self._asked_for = answers = self._kept(mapping.name).asked_for
        found, gone = [], set()
        for target_id in islice(target_ids, MOST_ASKED_FOR):
            if str(target_id) not in answers:
                try:
                    answers[str(target_id)] = self._asked(mapping, target_id)
                except (RetryLater, UpstreamUnavailable):
                    self.keep()
                    raise
                except AccessRefused:
                    raise
                except APIError:
                    if target_id not in beyond_doubt:
                        continue
                    answers[str(target_id)] = None
            answer = answers[str(target_id)]
            if answer is None:
                gone.add(target_id)
            else:
                found.append(answer)
        return found, gone

    def _asked(self, mapping: EntityMapping, target_id: int | str) -> Target | None:
        """The record, None when SafetyAmp does not have it. Raises the client's errors."""
        try:
            row = self._services.safetyamp.read(RESOURCES[mapping.name], target_id)
        except NotFound:
            return None
        except APIError as error:
            if error.status_code == METHOD_NOT_ALLOWED:
                return None
            raise
        return target_of(mapping, row)

    def keep(self) -> None:
        """Keep a listing that came to its end, for planning that has to go on later because its next calls
        have no place in the window: it must not begin by listing all again, or a listing that fills a window
        would be all that ever happens."""
        if self._complete is not None:
            page, targets = self._complete
            self._keep(page, targets, complete=True)

    def _clusters(self, mapping: EntityMapping) -> list[Target]:
        rows = self._services.safetyamp.list_site_clusters().records
        inside = within_root(rows, self._services.settings.safetyamp_root_cluster)
        return _mapped(mapping, inside)

    def _pages(self, mapping: EntityMapping, twice: bool) -> list[Target]:
        kept = self._kept(mapping.name)
        targets = {target.target_id: target for target in kept.targets}
        if self._meter:
            self._meter.add(kept.calls, kept.requests, kept.waited_seconds)
        page, again = kept.page, kept.again
        if not kept.complete:
            try:
                while True:
                    for rows in self._services.safetyamp.list_pages(RESOURCES[mapping.name], start_page=page):
                        # A dictionary by id: a record that moved to a later page while listing is kept once.
                        targets.update((target.target_id, target) for target in _mapped(mapping, rows))
                        page += 1
                    if again or not twice or page <= (mapping.name in UNIQUE_VALUE):
                        break
                    page, again = 0, True
            except (RetryLater, UpstreamUnavailable):
                self._keep(page, targets.values(), again=again)
                raise
        listed = list(targets.values())
        self._complete = (page, listed)
        return listed

    def _kept(self, entity: EntityName) -> _Kept:
        """What was kept before; nothing where there is a bare lease, or what cannot be read: all pages are
        read again."""
        try:
            value = read_json(self._services.documents, self._path)
            if value is None:
                return _Kept()
            stored = decode(dict[str, JsonValue], value, self._path)
            if "listing" not in stored:
                return _of_release_before(decode(_Kept, stored, self._path), entity)
            own = decode(dict[str, JsonValue], stored["listing"], self._path)
            return decode(_Kept, {**stored, **own}, self._path)
        except UnreadableDocument as error:
            logger.warning("%s; the listing begins anew", error, extra={"event": "document_unreadable"})
            return _Kept()

    def _keep(
        self, page: int, targets: Iterable[Target], *, complete: bool = False, again: bool = False
    ) -> None:
        listing = {
            "page": page,
            "complete": complete,
            "again": again,
            "targets": [kept_form(target) for target in targets],
            "asked_for": {one: target and kept_form(target) for one, target in self._asked_for.items()},
        }
        # Release 0.1.0 writes keys of titles otherwise and knows no second reading: were it to go on here, it
        # would create what it does not find. So it sees a listing that has not begun.
        value: dict[str, JsonValue] = {"page": 0, "targets": [], "listing": listing}
        if self._meter:
            value["calls"] = dict(self._meter.calls)
            value["requests"] = dict(self._meter.requests)
            value["waited_seconds"] = self._meter.waited_seconds
        lease_id = self._lease.take() if self._lease else None
        self._services.documents.write(self._path, to_json(value), lease_id=lease_id)


def _of_release_before(kept: _Kept, entity: EntityName) -> _Kept:
    """Pages that release 0.1.0 has read, with keys in today's form."""
    targets = [
        target if target.key is None else replace(target, key=normal_key(entity, target.key))
        for target in kept.targets
    ]
    return replace(kept, targets=targets)


def kept_form(target: Target) -> dict[str, JsonValue]:
    """A target in a document."""
    form: dict[str, JsonValue] = {
        "target_id": target.target_id,
        "key": target.key,
        "fields": target.fields,
        "match": target.match,
    }
    # The release before knows no `readable`, and hardly any target is not.
    return form if target.readable else {**form, "readable": False}


def _mapped(mapping: EntityMapping, rows: Sequence[ApiRow]) -> list[Target]:
    return [target for row in rows if (target := target_of(mapping, row))]


def within_root(rows: Sequence[ApiRow], name: str | None) -> list[ApiRow]:
    """The root cluster and everything below it.

    `name` is SAFETYAMP_ROOT_CLUSTER; None means the only root. Raises ConfigurationError when there is no
    such root: the API cannot create one (docs/contracts/safetyamp.md#clusters).
    """
    roots = [row for row in rows if row.get("parent_cluster_id") is None]
    chosen = [row for row in roots if name is None or row.get("name") == name]
    if len(chosen) != 1:
        found = ", ".join(sorted(repr(row.get("name")) for row in roots)) or "none"
        raise ConfigurationError(
            [
                SettingProblem(
                    "SAFETYAMP_ROOT_CLUSTER",
                    Advised(
                        "must name the one root cluster that everything belongs to; SafetyAmp has: "
                        f"{found}. The API cannot create a root",
                        "make it in SafetyAmp, or mend the setting",
                    ),
                )
            ]
        )
    inside = {chosen[0]["id"]}
    kept = [chosen[0]]
    waiting = [row for row in rows if row.get("parent_cluster_id") is not None]
    while children := [row for row in waiting if row["parent_cluster_id"] in inside]:
        kept += children
        inside |= {row["id"] for row in children}
        waiting = [row for row in waiting if row["id"] not in inside]
    return kept
