"""Under which rules something is planned and applied: a run keeps those that it began with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

from shared.errors import ConfigurationError, SettingProblem, UnreadableDocument
from shared.storage.documents import Documents
from shared.sync.documents.rules import DEFAULT, read_pushed, read_text, store_rules
from shared.sync.documents.runs import Run
from shared.sync.planning.reader import mapping_options
from shared.sync.services import Services
from shared.sync.sources import MappingOptions

if TYPE_CHECKING:
    from shared.config import Settings
    from shared.sync.rules.model import Rules

RULES_FILE, EXPECT = "RULES_FILE", "[[expect]]"

_texts: WeakKeyDictionary[Documents, dict[str, str]] = WeakKeyDictionary()
"""Texts by digest, as they were read: they are written once."""


def rules_text(services: Services, run: Run | None) -> str | None:
    """The rules of the run, or those in force where there is none; None for the default file.

    Raises UnreadableDocument where nobody can tell which they are or what they say, and ConfigurationError
    for a RULES_FILE that cannot be used: nothing may be planned under others.
    """
    digest = run.request.rules if run else None
    if digest is not None:
        return text_of(services.documents, digest)
    if services.settings.rules_file:
        return text_of_file(services.settings)
    pushed = read_pushed(services.documents)
    return text_of(services.documents, pushed[-1].digest) if pushed else None


def options_in_force(services: Services) -> MappingOptions:
    """What maps a record now. Raises ConfigurationError, also where nobody can tell the rules."""
    try:
        return mapping_options(services.settings, rules_text(services, None))
    except UnreadableDocument as error:
        raise ConfigurationError.of("rules", str(error)) from error


def rules_in_force(services: Services) -> str:
    """The digest of the rules that a run which begins now keeps to its end; `DEFAULT` for the default file.
    Those of a file are stored. Raises as `rules_text`."""
    if services.settings.rules_file:
        text = text_of_file(services.settings)
        check_rules(services, text)
        return store_rules(services.documents, text)
    pushed = read_pushed(services.documents)
    return pushed[-1].digest if pushed else DEFAULT


def text_of(documents: Documents, digest: str) -> str | None:
    """The text of a version; None for the default file. Raises UnreadableDocument."""
    if digest == DEFAULT:
        return None
    known = _texts.setdefault(documents, {})
    if digest not in known:
        known[digest] = read_text(documents, digest)
    return known[digest]


def text_of_file(settings: Settings) -> str:
    """What the file says that RULES_FILE names. Raises ConfigurationError with all that is wrong with it."""
    from shared.sync.rules import reading  # as in `MappingOptions.rules`

    try:
        text = reading.text_of(Path(settings.rules_file or "").read_bytes(), RULES_FILE)
    except OSError as error:
        raise ConfigurationError.of(RULES_FILE, f"cannot be read ({error.strerror})") from error
    effective_rules(settings, text)
    return text


def effective_rules(settings: Settings, text: str) -> Rules:
    """What the text says, over the default file and with settings in the place of their names. Raises
    ConfigurationError with all that is wrong with it."""
    return mapping_options(settings, text).rules


def check_rules(services: Services, text: str) -> None:
    """Raises ConfigurationError with all that is wrong with the text of a `rules.toml`, or with what it gives
    where it says itself what it expects."""
    from shared.sync.entities.expectations import outcomes  # as in `MappingOptions.rules`

    settings = services.settings
    options = mapping_options(settings, text)
    today = services.clock.now().astimezone(ZoneInfo(settings.default_timezone)).date()
    failed = [
        SettingProblem(EXPECT, f"{one.expectation.entity}, {one.expectation.name}: {failure}")
        for one in outcomes(options, today)
        for failure in one.failures
    ]
    if failed:
        raise ConfigurationError(failed)
