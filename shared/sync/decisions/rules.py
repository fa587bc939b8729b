"""Putting other rules in force: those of a file, or a former version again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.errors import RulesConflict, UnreadableDocument
from shared.sync.decisions.record import Author, decided
from shared.sync.documents.active import active_run_id
from shared.sync.documents.rules import (
    DEFAULT,
    PushedRules,
    add_pushed,
    digest_of_text,
    number_of,
    read_pushed,
    store_rules,
    version_of,
)
from shared.sync.planning.rules_in_force import RULES_FILE, check_rules, text_of
from shared.sync.services import Services


@dataclass(frozen=True)
class PutInForce:
    """What is in force then. `changed` False: it was before. `run_id`: the run under way, which goes on under
    the rules that it began with."""

    version: PushedRules | None
    changed: bool
    run_id: str | None


def push(
    services: Services, text: str, by: Author, reason: str | None, after: int | None = None
) -> PutInForce:
    """Put the rules of the text in force. `after` is the number of the version that they were made from:
    another one that is in force is not replaced.

    Raises ConfigurationError with all that is wrong with the text, or with what it gives where it says what
    it expects; RulesConflict when somebody else was quicker, or RULES_FILE rules.
    """
    _refuse_beside_a_file(services)
    check_rules(services, text)
    pushed = _pushed_so_far(services)
    if pushed and pushed[-1].digest == digest_of_text(text):
        store_rules(services.documents, text)  # where somebody has deleted it
        return PutInForce(pushed[-1], False, active_run_id(services.documents))
    return _put_in_force(services, pushed, text, by, reason, after, None)


def roll_back(
    services: Services, number: int, by: Author, reason: str | None, after: int | None = None
) -> PutInForce:
    """Put a former version in force again, as a new one; 0 is the default file. Raises as `push`, and
    UnknownRules, and UnreadableDocument for a version that is gone."""
    _refuse_beside_a_file(services)
    pushed = read_pushed(services.documents)
    version = version_of(pushed, number)
    text = text_of(services.documents, version.digest) if version else None
    if text is not None:
        check_rules(services, text)  # the release may know other columns and fields by now
    last = pushed[-1] if pushed else None
    if (last.digest if last else DEFAULT) == (version.digest if version else DEFAULT):
        return PutInForce(last, False, active_run_id(services.documents))
    return _put_in_force(services, pushed, text, by, reason, after, number)


def _refuse_beside_a_file(services: Services) -> None:
    if services.settings.rules_file:
        raise RulesConflict(
            f"{services.settings.rules_file} is in force here, whatever is pushed: change that file, or unset"
            f" {RULES_FILE}; where it is the file of that name in the current folder, give it another name"
        )


def _pushed_so_far(services: Services) -> list[PushedRules]:
    """Who pushes says what is to be in force: a list that cannot be read begins anew."""
    try:
        return read_pushed(services.documents)
    except UnreadableDocument:
        return []


def _put_in_force(
    services: Services,
    pushed: list[PushedRules],
    text: str | None,
    by: Author,
    reason: str | None,
    after: int | None,
    back_to: int | None,
) -> PutInForce:
    number = number_of(pushed) + 1
    done: Mapping[str, str] = {"push": str(number)}
    if back_to is not None:
        done = {"back to": str(back_to), "as": str(number)}
    with decided(services, "rules", by, reason, given=done) as outcome:
        if after not in (None, number - 1):
            raise RulesConflict(
                f"version {number - 1} is in force, not {after}, from which these rules were made: look at"
                f" what has changed since, and push what is to be in force"
            )
        digest = DEFAULT if text is None else store_rules(services.documents, text)
        version = PushedRules(
            number,
            digest,
            services.clock.now().isoformat(),
            outcome.id,
            by.known,
            by.name,
            by.id,
            reason,
            back_to,
        )
        add_pushed(services.documents, version)
    return PutInForce(version, True, active_run_id(services.documents))
