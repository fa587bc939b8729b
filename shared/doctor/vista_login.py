"""What the SQL login may do, asked of SQL Server's own catalogue without ever trying a write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.clients.vista.driver import VistaConnection
from shared.doctor.finding import Finding

TABLES = ("bPREH", "bPRDP", "bJCJM", "bJCCM", "bPRJC")

# fn_my_permissions also tells rights on single columns, which HAS_PERMS_BY_NAME does not unless each column
# is named (vendor pages of the two functions). It lists nothing for a table that this login cannot see.
TABLE_RIGHTS = f"""
SELECT T.TableName, P.permission_name
FROM (VALUES {", ".join(f"('{table}')" for table in TABLES)}) AS T(TableName)
CROSS APPLY sys.fn_my_permissions(T.TableName, 'OBJECT') AS P
"""  # noqa: S608 - a constant of this module

DATABASE_RIGHTS = """
SELECT P.permission_name
FROM sys.fn_my_permissions(NULL, 'DATABASE') AS P
"""

SERVER_ROLE = "SELECT IS_SRVROLEMEMBER('sysadmin')"

CHANGING = frozenset({"INSERT", "UPDATE", "DELETE", "ALTER", "CONTROL", "TAKE OWNERSHIP"})
"""Rights by which rows or tables can be changed."""

CHECK = "vista.login"
SETTINGS = ("VISTA_CONNECTION_STRING",)
ADVICE = "Give the sync a login of its own with SELECT on the five tables (or on views of them) only"


def login_findings(connection: VistaConnection) -> list[Finding]:
    """Whether the login is read only; raises DatabaseError."""
    tables = list(connection.rows(TABLE_RIGHTS))
    database = [str(row[0]) for row in connection.rows(DATABASE_RIGHTS)]
    ((sysadmin,),) = connection.rows(SERVER_ROLE)
    return [judged(tables, database, bool(sysadmin))]


def judged(tables: Sequence[Sequence[Any]], database: Sequence[str], sysadmin: bool) -> Finding:
    """The finding for rights as (table, right), for those in the whole database, and for the server's role.

    A right in the database holds for every table in it, so it is worse than one on a table of ours.
    """
    everywhere = sorted(CHANGING.intersection(database))
    ours = sorted({(str(right), str(table)) for table, right in tables if right in CHANGING})
    if sysadmin:
        return _too_much("the login is a sysadmin: it may change everything on the server")
    if everywhere:
        return _too_much(f"the login may {', '.join(everywhere)} in the whole database")
    if ours:
        return _too_much("the login may " + ", ".join(f"{right} on {table}" for right, table in ours))
    if "EXECUTE" in database:
        seen = "the login may change no table by itself, but EXECUTE every procedure of the database"
        return Finding(CHECK, "warning", seen, ADVICE, settings=SETTINGS)
    visible = {str(table) for table, _ in tables}
    hidden = [table for table in TABLES if table not in visible]
    if hidden:
        seen = f"the login has no right at all on {', '.join(hidden)}"
        return Finding(CHECK, "failed", seen, "Grant SELECT on them", settings=SETTINGS)
    return Finding(CHECK, "ok", "the login may change neither a table of ours nor the database")


def _too_much(seen: str) -> Finding:
    return Finding(CHECK, "failed", seen, ADVICE, settings=SETTINGS)
