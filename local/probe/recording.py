"""What `probe --out` has written, as the simulators read it: what real systems were like, without any value.

Members beside those named here are for people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from local.probe.assumption import Shapes, Verdict

FORMAT = 1
"""Of the recording. One more where a member changes its meaning, or a new one must not be overlooked."""

LARGEST = 10_000_000
"""Bytes of a file: a recording has some ten thousand."""

USUAL_PAGE, LARGE_PAGE = 25, 100
"""How many records were asked for."""

LIMIT_HEADERS = ("x-ratelimit-limit", "ratelimit-limit")

Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Status = Annotated[int, Field(ge=200, le=599)]
Forms = dict[str, Count]


class NoRecording(Exception):
    """The file cannot be imitated; the text says why, and what to do."""


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Users(_Part):
    """Those that were seen: how many have an `emp_id`, how many of these are no number, stand at two users,
    are (as `numbers` says) an employee's of Vista."""

    seen: Count = 0
    with_emp_id: Count = 0
    no_number: Count = 0
    twice: Count = 0
    numbers: Count = 0
    employees: Count = 0


class SafetyAmpSeen(_Part):
    """`refused`: resources that cannot be listed, by status. `by_id`: the status of asking for one user."""

    resources: dict[str, Shapes] = {}
    refused: dict[str, Status] = {}
    ids: dict[str, Forms] = {}
    users: Users = Users()
    headers: list[str] = []
    limit: str | None = None
    page_sizes: dict[str, Count] = {}
    same_pages: bool | None = None
    by_id: Status = 200
    by_id_fields: list[str] = []

    @property
    def page(self) -> tuple[int, bool]:
        """The most that a page holds, and whether it holds them whatever is asked for."""
        usual, large = (self.page_sizes.get(str(asked), 0) for asked in (USUAL_PAGE, LARGE_PAGE))
        if usual > USUAL_PAGE:
            return usual, True
        was_short = 0 < usual < USUAL_PAGE and self.same_pages is not None
        return (usual if was_short else max(USUAL_PAGE, large)), False

    @property
    def limit_header(self) -> str | None:
        """The one that tells how many calls are allowed."""
        return next((name for name in LIMIT_HEADERS if name in self.headers), None)

    @property
    def calls(self) -> int | None:
        """How many calls are allowed; None where the answers do not say."""
        text = self.limit or ""
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 and int(text) else None

    def share(self, resource: str, field: str) -> float | None:
        """Of the records that were seen, how many have something in this field; None: nobody knows."""
        fields = self.resources.get(resource, {})
        count = sum(fields.get("id", {}).values())
        if not count:
            return None
        return sum(much for kind, much in fields.get(field, {}).items() if kind != "NoneType") / count


class Vehicles(_Part):
    count: Count = 0
    fields: Shapes = {}
    ids: Forms = {}


class Drivers(_Part):
    """`external_ids`: how many have which."""

    count: Count = 0
    external_ids: dict[str, Count] = {}


class SamsaraSeen(_Part):
    vehicles: Vehicles = Vehicles()
    drivers: Drivers = Drivers()


class EmployeeIds(_Part):
    """Of the accounts those with something in `employeeId`, with a number there, with number and mail; of
    those who are employed all, and those whose number an account has."""

    filled: Count = 0
    numbers: Count = 0
    with_mail: Count = 0
    active: Count = 0
    active_there: Count = 0


class GraphSeen(_Part):
    employee_ids: EmployeeIds = EmployeeIds()


class Recording(_Part):
    """A system that is None could not be asked."""

    format: Count
    version: str
    made_at: str
    verdicts: dict[str, Verdict]
    safetyamp: SafetyAmpSeen = SafetyAmpSeen()
    samsara: SamsaraSeen | None = None
    graph: GraphSeen | None = None


def read_recording(path: Path) -> Recording:
    """The recording in this file. Raises NoRecording."""
    again = f"have it written again: probe --out {path.name}"
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise NoRecording(f"cannot be read ({error.strerror})") from error
    if len(content) > LARGEST:
        raise NoRecording(f"is no recording of probe: it has more than {LARGEST:,} bytes")
    try:
        return Recording.model_validate(_json_of(content))
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise NoRecording(f"is no recording of probe, or a damaged one ({place}): {again}") from error
    except (ValueError, RecursionError) as error:
        raise NoRecording(f"is not JSON, or was cut: {again}") from error


def _json_of(content: bytes) -> Mapping[str, Any]:
    """Raises NoRecording for what is of another kind or time, ValueError for what is not JSON."""
    value = json.loads(content)
    if not isinstance(value, dict) or "made_at" not in value or "version" not in value:
        raise NoRecording("is no recording of probe: `probe --out FILE` writes one")
    version, kind = value["version"], value.get("format")
    if kind is None:
        raise NoRecording("was written by an older version, which kept less: have it written again")
    if isinstance(kind, int) and kind > FORMAT:
        raise NoRecording(f"was written by a newer version ({str(version)[:40]!r}): use that one")
    return value
