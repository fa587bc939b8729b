"""Reading what an update must repeat and the source does not own, right before it is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from shared.clients.http.answers import METHOD_NOT_ALLOWED
from shared.clients.safetyamp import SafetyAmpClient
from shared.errors import AccessRefused, APIError, IncompleteRead, NotFound, UpstreamUnavailable
from shared.sync.model import ApiRow, EntityName, FieldValues, JsonValue

UNAUTHORIZED = 401

ABSENT_AFTER = 3
"""So many records in a row that are there and are not shown by their id: it is rather the way of asking that
is not there (nobody was seen using it: docs/contracts/safetyamp.md#one-record)."""

CORRECTIONS = "what somebody may have corrected there cannot be told, so that nothing was sent"


class FreshReader:
    """Fields as SafetyAmp has them now; what it does not give out is left out, and what is known must do."""

    def __init__(self, client: SafetyAmpClient, entity: EntityName) -> None:
        read: dict[str, Callable[[int | str], FieldValues]] = {
            "employees": self._user,
            "departments": self._cluster,
        }
        self._client = client
        self._read = read.get(entity)
        self._missed = 0
        self._not_shown: int | str | None = None
        self._clusters: dict[int | str, FieldValues] | None = None

    def values(
        self, target_id: int | str, names: Iterable[str], *, urgent: bool = False
    ) -> dict[str, JsonValue]:
        """The named fields that have a value.

        Raises RetryLater; AccessRefused for a credential that is not accepted; UpstreamUnavailable and
        IncompleteRead while SafetyAmp does not answer; APIError where it answers neither the record nor that
        there is none: what is known would undo what somebody corrected. For an `urgent` change it must do
        then, too.
        """
        row = self.record(target_id, urgent=urgent)
        return {name: row[name] for name in names if _is_usable(row.get(name))}

    def record(self, target_id: int | str, *, urgent: bool = False) -> ApiRow:
        """All of a record as SafetyAmp shows it now, empty where it does not; raises as `values`."""
        if self._read is None or self._missed >= ABSENT_AFTER:
            return {}
        try:
            row = self._read(target_id)
            self._missed = 0
        except (NotFound, AccessRefused) as error:
            if error.status_code == UNAUTHORIZED and not urgent:
                raise  # the credential, and not this way of asking: it says nothing of the record
            self._not_shown = target_id
            return {}
        except (UpstreamUnavailable, IncompleteRead):
            if not urgent:
                raise
            return {}
        except APIError as error:
            if error.status_code == METHOD_NOT_ALLOWED:
                self._missed = ABSENT_AFTER
            if urgent or self._missed >= ABSENT_AFTER:
                return {}
            # No refusal of the change, which has not been sent.
            raise APIError(f"{error}: {CORRECTIONS}", upstream="safetyamp") from error
        return row

    @property
    def can_read(self) -> bool:
        """Whether single records of this entity can be asked for."""
        return self._read is not None

    def is_there(self, target_id: int | str) -> None:
        """SafetyAmp has just taken a change of this record: if it did not show it when asked, that was not
        because it is gone."""
        if target_id == self._not_shown:
            self._not_shown = None
            self._missed += 1

    def _user(self, target_id: int | str) -> FieldValues:
        return self._client.read("users", target_id)

    def _cluster(self, target_id: int | str) -> FieldValues:
        """From the tree, one call for all that one handler changes: there is no call for one cluster."""
        if self._clusters is None:
            self._clusters = {row["id"]: row for row in self._client.list_site_clusters().records}
        return self._clusters.get(target_id, {})


def _is_usable(value: JsonValue) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and value.strip() != "")
