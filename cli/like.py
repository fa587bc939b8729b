"""What `simulators --like` imitates, and what of it not: told before anybody relies on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from local.probe.recording import NoRecording, Recording, SafetyAmpSeen, read_recording
from local.simulators.alike import other_forms
from shared.errors import ConfigurationError

IMITATED = frozenset(
    {"safetyamp.page-size", "safetyamp.pages", "safetyamp.by-id", "safetyamp.emp_id", "safetyamp.people"}
    | {"safetyamp.site-code", "safetyamp.system_access", "safetyamp.gender", "safetyamp.limit"}
    | {f"safetyamp.{name}.id" for name in ("site_clusters", "sites", "user_titles", "users")}
    | {f"safetyamp.{name}.id" for name in ("roles", "asset_types", "assets")}
    | {f"safetyamp.{name}.list" for name in ("sites", "user_titles", "roles", "asset_types", "assets")}
    | {"graph.employeeId", "graph.coverage", "graph.mail"}
    | {"samsara.id", "samsara.serial", "samsara.payrollId"}
)
"""Names of assumptions: whatever was seen of these, the simulators do it too."""


def recording_of(path: Path) -> Recording:
    """What is in the file of --like. Raises ConfigurationError."""
    try:
        return read_recording(path)
    except NoRecording as error:
        raise ConfigurationError.of("--like", f"{str(path)!r} {error}") from error


def told_of(like: Recording) -> str:
    """A line of what is imitated, and one of what contradicted docs/contracts and is not."""
    lines = [f"like the systems of {like.made_at[:10]}: {', '.join(_imitated(like))}"]
    other = sorted(
        name for name, verdict in like.verdicts.items() if verdict == "contradicted" and name not in IMITATED
    )
    if other:
        lines.append(f"not imitated, though it was otherwise there: {', '.join(other)}")
    return "\n".join(lines)


def _imitated(like: Recording) -> Iterator[str]:
    yield from _of_safetyamp(like.safetyamp)
    if like.graph is not None:
        ids = like.graph.employee_ids
        yield f"Graph knows {ids.active_there} of {ids.active} people"
    if like.samsara is not None:
        drivers = like.samsara.drivers
        names = ", ".join(sorted(drivers.external_ids)) or "no external ids"
        yield f"Samsara's drivers have {names}"


def _of_safetyamp(seen: SafetyAmpSeen) -> Iterator[str]:
    size, is_fixed = seen.page
    yield f"pages of {size}{', whatever is asked for' if is_fixed else ' at most'}"
    if seen.same_pages:
        yield "pages 0 and 1 the same"
    if seen.by_id != 200:
        yield f"a user by id answered {seen.by_id}"
    for resource, form in sorted(other_forms(seen).items()):
        yield f"ids of {resource}: {form}"
    for resource, status in sorted(seen.refused.items()):
        yield f"{resource} refused with {status}"
    yield (
        f"{seen.calls} calls"
        if seen.calls
        else "no header tells the limit"
        if seen.limit_header is None
        else "60 calls"
    )
    if seen.users.seen:
        yield f"{seen.users.with_emp_id} of {seen.users.seen} users with an emp_id"
