"""Regions as departments name them: spellings that a reader would call the same are one region."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from shared.clients.vista.rows import DepartmentRow
from shared.sync.entities import cleaning
from shared.sync.entities.keys import REGION_PREFIX, best_spelling, title_key
from shared.sync.sources import DepartmentsSource


def known_regions(keys: Iterable[str]) -> frozenset[str]:
    """The names of the regions among keys of the entity departments."""
    return frozenset(key.removeprefix(REGION_PREFIX) for key in keys if key.startswith(REGION_PREFIX))


def region_namer(source: DepartmentsSource) -> Callable[[DepartmentRow], str | None]:
    """What a row's region is called: as SafetyAmp spells it where it is known there (the very spelling before
    another one), else as most departments do; None where it is empty or no text.

    Not by a key that all spellings share, as titles are: a process of release 0.1.0 knows a region by its
    name, and would create it anew.
    """
    spellings: dict[str | None, Counter[str]] = {}
    for row in source.rows:
        if name := cleaning.text(row.region):
            spellings.setdefault(title_key(name), Counter())[name] += 1
    names = {key: best_spelling(counted) for key, counted in spellings.items()}
    names |= {title_key(name): name for name in sorted(source.known_regions, reverse=True)}

    def region_of(row: DepartmentRow) -> str | None:
        name = cleaning.text(row.region)
        return name if name is None or name in source.known_regions else names.get(title_key(name), name)

    return region_of


def regions_of_departments(source: DepartmentsSource) -> dict[str, str]:
    """Department code -> region name; departments without either are out, and those that two rows put into
    different regions."""
    region_of = region_namer(source)
    found: dict[str, set[str]] = {}
    for row in source.rows:
        department, region = cleaning.code(row.department), region_of(row)
        if department and region:
            found.setdefault(department, set()).add(region)
    return {department: next(iter(regions)) for department, regions in found.items() if len(regions) == 1}
