"""Vista's tables (docs/contracts/vista.md#tables): the columns that may be read, and their types there."""

from __future__ import annotations

READABLE: dict[str, dict[str, str]] = {
    "bPREH": {
        "PRCo": "tinyint",
        "Employee": "int",
        "LastName": "varchar(30)",
        "FirstName": "varchar(30)",
        "MidName": "varchar(15)",
        "Address": "varchar(60)",
        "Address2": "varchar(60)",
        "City": "varchar(30)",
        "State": "varchar(4)",
        "Zip": "varchar(12)",
        "Country": "char(2)",
        "Phone": "varchar(20)",
        "Sex": "char(1)",
        "BirthDate": "smalldatetime",
        "HireDate": "smalldatetime",
        "TermDate": "smalldatetime",
        "PRDept": "varchar(10)",
        "Email": "varchar(60)",
        "udEmpTitle": "varchar(60)",
    },
    "bPRDP": {
        "PRCo": "tinyint",
        "PRDept": "varchar(10)",
        "Description": "varchar(60)",
        "udRegion": "varchar(30)",
    },
    "bJCJM": {
        "JCCo": "tinyint",
        "Job": "varchar(10)",
        "Description": "varchar(60)",
        "Contract": "varchar(10)",
        "JobStatus": "tinyint",
        "ShipAddress": "varchar(60)",
        "ShipCity": "varchar(30)",
        "ShipState": "varchar(4)",
        "ShipZip": "varchar(12)",
        "ShipCountry": "char(2)",
    },
    "bJCCM": {"JCCo": "tinyint", "Contract": "varchar(10)", "Department": "varchar(10)"},
    "bPRJC": {
        "PRCo": "tinyint",
        "PREndDate": "smalldatetime",
        "JCCo": "tinyint",
        "Job": "varchar(10)",
        "Employee": "int",
        "Hrs": "numeric(10,2)",
    },
}
"""Neither social security and bank numbers nor pay are among them."""
