"""The SELECT statements, in the SQL that SQL Server and SQLite share.

Columns are listed, never `*`: bPREH also holds social security and bank numbers
(docs/contracts/vista.md#tables). Custom columns are quoted and qualified, because SQLite takes an unqualified
quoted name that it does not know for a text.
"""

from __future__ import annotations

from typing import NamedTuple

from shared.clients.vista import errors
from shared.errors import ConfigurationError, SettingProblem

OPEN = 1
"""JobStatus of an open job (docs/contracts/vista.md#jobs)."""

DEPARTMENTS = """
SELECT D.PRDept, D.Description, D."{region}"{departments}
FROM bPRDP D
WHERE D.PRCo = ?
ORDER BY D.PRDept
"""

OPEN_JOBS = f"""
SELECT J.Job, J.Description, C.Department,
       J.ShipAddress, J.ShipCity, J.ShipState, J.ShipZip, J.ShipCountry{{jobs}}
FROM bJCJM J
LEFT JOIN bJCCM C ON C.JCCo = J.JCCo AND C.Contract = J.Contract
WHERE J.JCCo = ? AND J.JobStatus = {OPEN}
ORDER BY J.Job
"""  # noqa: S608 - a constant of this module

CURRENT_TITLES = """
SELECT DISTINCT H."{title}"
FROM bPREH H
WHERE H.PRCo = ? AND H.HireDate <= ? AND (H.TermDate IS NULL OR H.TermDate > ?)
"""

EMPLOYEES = """
SELECT H.Employee, H.FirstName, H.MidName, H.LastName,
       H.Address, H.Address2, H.City, H.State, H.Zip, H.Country,
       H.Phone, H.Sex, H.BirthDate, H.HireDate, H.TermDate,
       H.PRDept, H.Email, H."{title}"{employees}
FROM bPREH H
WHERE H.PRCo = ? AND H.HireDate IS NOT NULL
ORDER BY H.Employee
"""

LATEST_PAYROLL = """
SELECT MAX(P.PREndDate)
FROM bPRJC P
WHERE P.PRCo = ? AND P.PREndDate <= ?
"""

# Ranked over the open jobs of all companies, then kept for one: the same job number in another company is
# another job, and who works there now must not be sent to an older job of this company. Hours are
# rounded because SQLite adds them in binary, where 8.1 + 8.2 and 16.3 differ.
LATEST_OPEN_JOBS = f"""
WITH weeks AS (
    SELECT P.Employee, P.PREndDate, J.JCCo, J.Job, ROUND(SUM(COALESCE(P.Hrs, 0)), 2) AS Hours
    FROM bPRJC P
    JOIN bJCJM J ON J.JCCo = P.JCCo AND J.Job = P.Job
    WHERE P.PRCo = ? AND P.PREndDate >= ? AND P.PREndDate <= ? AND J.JobStatus = {OPEN}
    GROUP BY P.Employee, P.PREndDate, J.JCCo, J.Job
), ranked AS (
    SELECT W.Employee, W.JCCo, W.Job,
           ROW_NUMBER() OVER (
               PARTITION BY W.Employee ORDER BY W.PREndDate DESC, W.Hours DESC, W.Job, W.JCCo
           ) AS Place
    FROM weeks W
)
SELECT R.Employee, R.Job
FROM ranked R
WHERE R.Place = 1 AND R.JCCo = ?
ORDER BY R.Employee
"""  # noqa: S608 - a constant of this module


class VistaColumns(NamedTuple):
    """The customer's columns: of the title and the region, and those that are selected besides, in this
    order."""

    title: str
    region: str
    employees: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()

    def settings(self) -> dict[str, str]:
        """Column -> the setting that names it."""
        more = (*self.employees, *self.jobs, *self.departments)
        named = {"VISTA_TITLE_COLUMN": self.title, "VISTA_REGION_COLUMN": self.region}
        return {column: errors.RULES for column in more} | {column: name for name, column in named.items()}


def with_columns(template: str, columns: VistaColumns) -> str:
    """The statement with the customer's columns; raises ConfigurationError for what is no column name."""
    for column, setting in columns.settings().items():
        if not (column.isidentifier() and column.isascii()):
            raise ConfigurationError([SettingProblem(setting, f"{column!r} is not the name of a column")])
    return template.format(
        title=columns.title,
        region=columns.region,
        employees=_selected("H", columns.employees),
        jobs=_selected("J", columns.jobs),
        departments=_selected("D", columns.departments),
    )


def _selected(table: str, columns: tuple[str, ...]) -> str:
    return "".join(f', {table}."{column}"' for column in columns)
