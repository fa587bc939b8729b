"""What an operator switched off: entities that no run touches until they are resumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, cast

from shared.storage.documents import Documents, read_json, update_json
from shared.sync import paths
from shared.sync.model import ENTITIES, EntityName

CONTROL_VERSION = 1


@dataclass(frozen=True)
class Pause:
    """Since when an entity is paused, and why. `who` is for the API alone: `about` goes into logs."""

    at: str
    reason: str
    who: str | None = None

    def about(self, entity: EntityName) -> str:
        """For people."""
        since = f"{datetime.fromisoformat(self.at):%Y-%m-%d %H:%M} UTC"
        return f"{entity} is paused since {since}: {self.reason}. POST /api/resume/{entity} ends that"


def read_pauses(documents: Documents) -> dict[EntityName, Pause]:
    """The paused entities. Raises StorageError: who cannot know must not go on."""
    value = read_json(documents, paths.CONTROL)
    return _pauses(value)


def add_pauses(documents: Documents, entities: Sequence[EntityName], pause: Pause) -> dict[EntityName, Pause]:
    """Pause entities; one that is paused already keeps its time and reason. Returns all pauses."""

    def change(value: Any) -> Any:
        pauses = _pauses(value)
        return _document({**dict.fromkeys(entities, pause), **pauses}, value)

    return _pauses(update_json(documents, paths.CONTROL, change))


def remove_pauses(documents: Documents, entities: Sequence[EntityName]) -> dict[EntityName, Pause]:
    """Let runs from now on touch the entities again. Returns the pauses that are left."""

    def change(value: Any) -> Any:
        kept = {name: pause for name, pause in _pauses(value).items() if name not in entities}
        return _document(kept, value)

    return _pauses(update_json(documents, paths.CONTROL, change))


def _pauses(value: dict[str, Any] | None) -> dict[EntityName, Pause]:
    paused = (value or {}).get("paused", {})
    return {name: Pause(**paused[name]) for name in ENTITIES if name in paused}


def _document(pauses: dict[EntityName, Pause], before: dict[str, Any] | None) -> dict[str, Any] | None:
    after = {"version": CONTROL_VERSION, "paused": {name: asdict(pause) for name, pause in pauses.items()}}
    return None if after == before else cast("dict[str, Any]", after)
