"""The pure part of the sync: what each entity's records should look like in SafetyAmp."""

from __future__ import annotations

from shared.sync.entities import departments, employees, jobs, titles, vehicles
from shared.sync.mapping import EntityMapping
from shared.sync.model import EntityName
from shared.sync.sources import MappingOptions


def mappings(options: MappingOptions) -> dict[EntityName, EntityMapping]:
    """The mapping of every entity, in the order of a run."""
    return {
        "departments": departments.mapping(options),
        "jobs": jobs.mapping(options),
        "titles": titles.mapping(options),
        "employees": employees.mapping(options),
        "vehicles": vehicles.mapping(options),
    }
