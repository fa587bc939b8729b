"""What an operator switched off: entities that no run touches until they are resumed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TypedDict

from shared.errors import UnreadableDocument
from shared.storage.decoding import Time, decode
from shared.storage.documents import Documents, read_document, update_json
from shared.sync import paths
from shared.sync.model import ENTITIES, EntityName, JsonValue

CONTROL_VERSION = 1


@dataclass(frozen=True)
class Pause:
    """Since when an entity is paused, and why. `who` is for the API alone: `about` goes into logs."""

    at: Time
    reason: str
    who: str | None = None

    def about(self, entity: EntityName) -> str:
        """For people."""
        since = f"{datetime.fromisoformat(self.at):%Y-%m-%d %H:%M} UTC"
        return f"{entity} is paused since {since}: {self.reason}. POST /api/resume/{entity} ends that"


class _Control(TypedDict):
    paused: dict[str, Pause]


UNKNOWN_PAUSES = (
    "Nobody can tell what is paused, and nothing is started until that is known: resume all entities, which"
    " writes it anew, and pause again what must rest"
)


def read_pauses(documents: Documents) -> dict[EntityName, Pause]:
    """The paused entities. Raises StorageError: who cannot know must not go on."""
    try:
        control = read_document(documents, paths.CONTROL, _Control)
    except UnreadableDocument as error:
        raise UnreadableDocument(error.path, error.why, UNKNOWN_PAUSES) from error
    return _known(control)


def add_pauses(documents: Documents, entities: Sequence[EntityName], pause: Pause) -> dict[EntityName, Pause]:
    """Pause entities; one that is paused already keeps its time and reason. Returns all pauses."""

    def change(value: JsonValue) -> JsonValue:
        pauses = _pauses(value)
        return _document({**dict.fromkeys(entities, pause), **pauses}, value)

    return _pauses(update_json(documents, paths.CONTROL, change, lost=_lost(entities)))


def remove_pauses(documents: Documents, entities: Sequence[EntityName]) -> dict[EntityName, Pause]:
    """Let runs from now on touch the entities again. Returns the pauses that are left."""

    def change(value: JsonValue) -> JsonValue:
        kept = {name: pause for name, pause in _pauses(value).items() if name not in entities}
        return _document(kept, value)

    return _pauses(update_json(documents, paths.CONTROL, change, lost=_lost(entities)))


def _lost(entities: Sequence[EntityName]) -> Callable[[UnreadableDocument], None]:
    """Who pauses or resumes all entities says all that the document can hold; of fewer, the others' pauses
    would be guessed."""

    def lost(error: UnreadableDocument) -> None:
        if not set(entities).issuperset(ENTITIES):
            raise UnreadableDocument(error.path, error.why, UNKNOWN_PAUSES) from error

    return lost


def _pauses(value: JsonValue) -> dict[EntityName, Pause]:
    return _known(None if value is None else decode(_Control, value, paths.CONTROL))


def _known(control: _Control | None) -> dict[EntityName, Pause]:
    """What a newer version may have paused beside the entities of this one is not ours."""
    paused = control["paused"] if control else {}
    return {name: paused[name] for name in ENTITIES if name in paused}


def _document(pauses: dict[EntityName, Pause], before: JsonValue) -> dict[str, JsonValue] | None:
    after: dict[str, JsonValue] = {
        "version": CONTROL_VERSION,
        "paused": {name: asdict(pause) for name, pause in pauses.items()},
    }
    return None if after == before else after
