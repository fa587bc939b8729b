"""The rig with the demo company, whose dirt the small company does not have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local.company.demo import demo_company
from tests.e2e.rig import START, Rig

PEOPLE, JOBS, VEHICLES = 40, 12, 6


class DemoRig(Rig):
    """A demo company of 40 people; `settings` are put over the usual ones."""

    def __init__(self, folder: Path, **settings: str) -> None:
        company = demo_company(START.date(), PEOPLE, jobs=JOBS, vehicles=VEHICLES)
        super().__init__(folder, company, limit=60, bus_dies=False, like=None, **settings)

    def report_of(self, **request: Any) -> dict[str, Any]:
        """Request a run, let it come to its end, and return its report."""
        return self.run(**request).report
