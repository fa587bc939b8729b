"""All systems, one after the other: one that cannot be asked costs no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from local.probe.assumption import Assumption, judged
from local.probe.recording import FORMAT
from local.probe.safetyamp import SafetyAmpProbe, of_employees
from local.probe.sources import graph_assumptions, samsara_assumptions, vista_assumptions
from shared.clients.http.transport import SessionFactory, new_session
from shared.errors import ConfigurationError, SafetyAmpError
from shared.runtime import Runtime
from shared.sync.entities.employee_facts import employee_number
from shared.version import FULL_VERSION


@dataclass(frozen=True)
class Probed:
    """`recording` holds types and counts, no value of any record. `problems` are systems that could not be
    asked, with the reason; `safetyamp_calls` is what it cost."""

    assumptions: list[Assumption]
    recording: dict[str, Any]
    problems: dict[str, str]
    safetyamp_calls: int


def probe(runtime: Runtime, session: SessionFactory = new_session) -> Probed:
    """Ask all systems that the settings name; `session` is what SafetyAmp is called over. Nothing is written
    anywhere. Raises ConfigurationError when settings are missing or malformed."""
    settings = runtime.settings
    found: list[Assumption] = []
    problems: dict[str, str] = {}
    made_at = runtime.clock.now().isoformat()
    recording: dict[str, Any] = {"format": FORMAT, "version": FULL_VERSION, "made_at": made_at}
    safetyamp = SafetyAmpProbe(runtime, session)
    systems: list[tuple[str, Callable[[dict[str, Any]], Iterator[Assumption]]]] = [
        ("vista", lambda kept: vista_assumptions(runtime, kept)),
        ("graph", lambda kept: graph_assumptions(runtime, kept)),
        ("samsara", lambda kept: samsara_assumptions(runtime, kept)),
        ("safetyamp", lambda _: safetyamp.assumptions()),
        ("safetyamp and vista", lambda _: _together(runtime, safetyamp)),
    ]
    try:
        for name, ask in systems:
            if name == "samsara" and not settings.vehicles_enabled:
                problems[name] = "vehicles are off: SAFETYAMP_VEHICLE_SITE_ID is not set"
                continue
            kept: dict[str, Any] = {}
            try:
                found.extend(ask(kept))
            except ConfigurationError as error:
                problems[name] = "; ".join(map(str, error.problems))
            except SafetyAmpError as error:
                problems[name] = str(error)
            if kept:
                recording[name] = kept
        recording["safetyamp"] = safetyamp.recording
        recording["verdicts"] = {one.name: one.verdict for one in found}
    finally:
        safetyamp.close()
    return Probed(found, recording, problems, safetyamp.calls)


def _together(runtime: Runtime, safetyamp: SafetyAmpProbe) -> Iterator[Assumption]:
    """Whether the numbers of both sides are the same people's."""
    theirs = of_employees(safetyamp.users)
    ours = {employee_number(row.employee) for row in runtime.vista.employees().records}
    both = theirs.keys() & ours
    safetyamp.recording["users"] |= {"numbers": len(theirs), "employees": len(both)}
    verdict = judged(2 * len(both) >= len(theirs) if theirs else None)
    meaning = "They may be of another company or system: check VISTA_COMPANY before any run that applies"
    yield Assumption(
        "safetyamp.people",
        verdict,
        "users with an emp_id are employees of Vista, present or former",
        f"{len(both):,} of {len(theirs):,} that were seen",
        "docs/contracts/safetyamp.md#users",
        meaning,
    )
