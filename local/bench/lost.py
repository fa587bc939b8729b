"""What lost answers cost: a first load of which every twentieth creation gets no answer."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from local.bench.company import BenchCompany, RunCalls, bench_company

EMPLOYEES = 5_000
LOSE_EVERY = 20


@dataclass(frozen=True)
class LostResult:
    """A first load in which `lost` of the creations got no answer, half of them after they had been carried
    out, beside the same load in peace. `left` were still missing after the run, or there twice."""

    employees: int
    lost: int
    calm: RunCalls
    calm_hours: float
    lossy: RunCalls
    lossy_hours: float
    left: int

    @property
    def beyond(self) -> int:
        """Calls that the lost answers cost."""
        return self.lossy.calls - self.calm.calls


def measure_lost_answers(employees: int = EMPLOYEES) -> LostResult:
    """Both loads, one after the other, in virtual time."""
    calm, calm_hours, content, _ = _load(employees, None)
    lossy, lossy_hours, found, lost = _load(employees, LOSE_EVERY)
    left = sum(abs(found[resource] - content[resource]) for resource in content)
    return LostResult(employees, lost, calm, calm_hours, lossy, lossy_hours, left)


def _load(employees: int, lose_every: int | None) -> tuple[RunCalls, float, dict[str, int], int]:
    with (
        tempfile.TemporaryDirectory() as name,
        bench_company(employees, Path(name), lose_every=lose_every) as company,
    ):
        began = company.now
        calls = company.run()
        hours = (company.now - began).total_seconds() / 3600
        return calls, hours, _content(company), company.lost


def _content(company: BenchCompany) -> dict[str, int]:
    return {resource: len(rows) for resource, rows in company.safetyamp.snapshot().items()}
