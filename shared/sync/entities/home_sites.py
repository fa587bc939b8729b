"""Where an employee belongs when no open job says so: the home office of the department's region."""

from __future__ import annotations

from collections.abc import Iterable

from shared.clients.rows import DepartmentRow
from shared.sync.entities import cleaning


def regions_of_departments(rows: Iterable[DepartmentRow]) -> dict[str, str]:
    """Department code -> region name, both cleaned as their keys are; departments without either are out."""
    pairs = ((cleaning.code(row.department), cleaning.text(row.region)) for row in rows)
    return {department: region for department, region in pairs if department and region}
