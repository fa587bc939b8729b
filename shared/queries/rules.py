"""The rules: what is in force, what was before, and what two versions say otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from difflib import unified_diff
from typing import TYPE_CHECKING, Any, cast

from shared.errors import ConfigurationError, UnreadableDocument
from shared.queries import answers
from shared.storage.documents import Documents
from shared.sync.decisions.rules import PutInForce
from shared.sync.documents.rules import (
    DEFAULT,
    DEFAULT_NUMBER,
    PushedRules,
    number_of,
    read_pushed,
    version_of,
)
from shared.sync.planning.rules_in_force import effective_rules, text_of, text_of_file
from shared.sync.services import Services

if TYPE_CHECKING:
    from shared.config import Settings


def rules(services: Services, number: int | None = None) -> answers.Rules:
    """The rules in force, or a version by its number, also one that cannot be read any more. Raises
    UnknownRules, and UnreadableDocument where nobody can tell which rules there are."""
    if number is None and services.settings.rules_file:
        return _of_file(services.settings)
    pushed = read_pushed(services.documents)
    version = version_of(pushed, number_of(pushed) if number is None else number)
    try:
        text = _text(services.documents, version)
    except UnreadableDocument as error:
        return {"source": "pushed", "version": _told(version), "text": None, "problem": str(error)}
    is_default = version is None or version.digest == DEFAULT
    return {
        "source": "default" if is_default else "pushed",
        "version": _told(version),
        "text": text,
        "problem": None if is_default else _problem(text, services.settings),
    }


def _of_file(settings: Settings) -> answers.Rules:
    try:
        text, problem = text_of_file(settings), None
    except ConfigurationError as error:
        text, problem = None, str(error)
    return {"source": "file", "version": None, "text": text, "problem": problem}


def _problem(text: str, settings: Settings) -> str | None:
    """What a newer release, or other settings, find wrong with what was right when it was pushed."""
    try:
        effective_rules(settings, text)
    except ConfigurationError as error:
        return str(error)
    return None


def _text(documents: Documents, version: PushedRules | None) -> str:
    from shared.sync.rules.reading import default_text  # as in `MappingOptions.rules`

    text = None if version is None else text_of(documents, version.digest)
    return default_text() if text is None else text


def history(services: Services) -> answers.RulesHistory:
    """What was pushed, the newest first. Raises UnreadableDocument."""
    pushed = read_pushed(services.documents)
    return {
        "in_force": None if services.settings.rules_file else number_of(pushed),
        "versions": [version for one in reversed(pushed) if (version := _told(one))],
    }


def put(done: PutInForce) -> answers.RulesPut:
    """What is in force after a push."""
    return {
        "in_force": done.version.number if done.version else DEFAULT_NUMBER,
        "version": _told(done.version),
        "changed": done.changed,
        "run_id": done.run_id,
    }


def _told(version: PushedRules | None) -> answers.RulesVersion | None:
    return None if version is None else cast("answers.RulesVersion", asdict(version))


def diff(services: Services, a: int, b: int | None = None) -> answers.RulesDiff:
    """What the version `b`, or the one in force, says otherwise than `a`: what counts, and the texts. Raises
    UnknownRules and UnreadableDocument."""
    pushed = read_pushed(services.documents)
    last = number_of(pushed) if b is None else b
    before, after = (_text(services.documents, version_of(pushed, number)) for number in (a, last))
    problems: list[str] = []
    what_counts = [_what_counts(services.settings, text, problems) for text in (before, after)]
    return {
        "a": a,
        "b": last,
        "rules": [] if problems else list(_differences(*what_counts)),
        "lines": list(
            unified_diff(
                before.splitlines(), after.splitlines(), f"version {a}", f"version {last}", lineterm=""
            )
        ),
        "problems": problems,
    }


def _what_counts(settings: Settings, text: str, problems: list[str]) -> Mapping[str, Any]:
    """Each rule by its place, over those of the default file."""
    try:
        found = effective_rules(settings, text)
    except ConfigurationError as error:
        problems.append(str(error))
        return {}
    return dict(_places(found.model_dump(mode="json", by_alias=True)))


def _places(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Tables are taken apart; a list is one thing."""
    if not isinstance(value, dict):
        yield place, value
        return
    for name, one in value.items():
        yield from _places(one, f"{place}.{name}" if place else name)


def _differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[answers.RuleDifference]:
    for place in {**a, **b}:
        before, after = a.get(place), b.get(place)
        if before != after:
            yield {"rule": place, "before": before, "after": after}
