"""Departments and jobs: which site clusters and job sites there must be."""

from __future__ import annotations

from collections import Counter

from tests.e2e.expected_content import Content
from tests.e2e.expected_tally import Tally
from tests.e2e.expected_values import Record, code, letters, present, text, zip_code

OPEN = 1
"""JobStatus (docs/contracts/vista.md#jobs)."""


def expect_clusters(departments: list[Record], before: Content) -> Tally:
    """Regions below the root, departments below their region.

    A region is matched by name, whatever its case, when its code is empty or the same, and only its parent is
    compared; a department without description or region has no cluster, and one that is there twice is left
    as it is.
    """
    tally = Tally("site_clusters", before)
    (root,) = (name for name, row in before["site_clusters"].items() if row["parent_cluster_id"] is None)
    for region in sorted({region for row in departments if (region := _region(row, before))}):
        place = {"parent_cluster_id": root}
        if region in tally.records:
            tally.update(region, place)
        else:
            new = {"name": region, "external_code": region, "osha_establishment": 0}
            tally.create(region, {**new, **place})
    claims = Counter(code(row["PRDept"]) for row in departments)
    for row in departments:
        if claims[code(row["PRDept"])] > 1:
            tally.count("invalid")
        else:
            _expect_department(tally, row, _region(row, before))
    return tally


def _region(row: Record, before: Content) -> str | None:
    """As SafetyAmp spells it, where it has it."""
    written = text(row["udRegion"])
    known = {name.casefold(): name for name in before["site_clusters"]}
    return known.get(written.casefold(), written) if written else None


def _expect_department(tally: Tally, row: Record, region: str | None) -> None:
    number, description = code(row["PRDept"]), text(row["Description"])
    if number is None or description is None or region is None:
        tally.count("skipped")
        return
    fields = {"name": f"{number} - {description}", "parent_cluster_id": region}
    if number in tally.records:
        tally.update(number, fields)
    else:
        tally.create(number, {**fields, "external_code": number, "osha_establishment": 0})


def regions_of(departments: list[Record], before: Content) -> dict[str, str]:
    """Department code -> region."""
    found = {code(row["PRDept"]): _region(row, before) for row in departments}
    return {number: region for number, region in found.items() if number and region}


def expect_sites(jobs: list[Record], contracts: list[Record], clusters: Tally, before: Content) -> Tally:
    """Open jobs whose contract's department has a cluster, by their code; offices and the rest stay.

    Defaults where the address is empty; the code is `ext_id` (docs/contracts/safetyamp.md#sites).
    """
    tally = Tally("sites", before)
    department_of = {code(row["Contract"]): code(row["Department"]) for row in contracts}
    for row in jobs:
        if row["JobStatus"] != OPEN:
            continue
        department = department_of.get(code(row["Contract"]))
        cluster = clusters.records.get(department or "")
        if cluster is None or cluster["external_code"] != department:
            tally.count("skipped")
            continue
        key = code(row["Job"])
        assert key is not None
        fields = _site(key, row) | {"cluster_id": department}
        if key in tally.records:
            tally.update(key, fields)
        else:
            tally.create(key, _defaults(key) | present(fields))
    return tally


def _site(key: str, row: Record) -> Record:
    description, country = text(row["Description"]), letters(row.get("ShipCountry"))
    return {
        "name": f"{key} - {description}" if description else key,
        "street": text(row.get("ShipAddress")),
        "city": text(row.get("ShipCity")),
        "state": letters(row.get("ShipState")),
        "zip_code": zip_code(row.get("ShipZip"), country),
        "country": country,
    }


def _defaults(key: str) -> Record:
    address = {"street": "Unknown", "city": "Unknown", "country": "US"}
    return {"ext_id": key, "timezone": "America/Chicago", **address}
