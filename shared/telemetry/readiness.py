"""Whether a run could work: the same question whoever asks."""

from __future__ import annotations

from shared.errors import ConfigurationError, DatabaseError, SafetyAmpError, StorageError
from shared.runtime import Runtime
from shared.sync import paths


def missing(runtime: Runtime) -> list[str]:
    """What is missing, one sentence each, names of settings included; empty when a run could work.

    Redis is not on the list: without it everything works, only slower.
    """
    try:
        _ = runtime.settings
    except ConfigurationError as error:
        return [str(problem) for problem in error.problems]
    reasons = []
    try:
        runtime.documents.read(paths.ACTIVE)
    except (StorageError, ConfigurationError) as error:
        reasons.append(f"documents: {error}")
    try:
        _ = runtime.bus
    except SafetyAmpError as error:
        reasons.append(f"service bus: {error}")
    try:
        runtime.vista.ping()
    except (DatabaseError, ConfigurationError) as error:
        reasons.append(f"vista: {error}")
    return reasons
