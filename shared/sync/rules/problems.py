"""What is wrong with a rules file: where, what, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from shared.errors import ConfigurationError, SettingProblem
from shared.sync.rules.lines import Path

ORIGIN = "RULES_FILE"
"""Who is to blame for rules of which nothing else is said."""

MOST_PROBLEMS = 50
"""That are named; of more only the number is told."""
LONGEST_SHOWN = 40


@dataclass(frozen=True)
class RuleProblem:
    """One thing wrong with one place of the file. `line` is None where the file does not have the place.
    `setting`: the setting whose value is wrong, where the file only names it."""

    place: str
    text: str
    line: int | None = None
    setting: str | None = None

    def __str__(self) -> str:
        where = ", ".join(([f"line {self.line}"] if self.line else []) + ([self.place] if self.place else []))
        return f"{where}: {self.text}" if where else self.text


class RulesError(ConfigurationError):
    """The rules cannot be used: `found` has everything that is wrong with them, in the order of the lines."""

    def __init__(self, found: Sequence[RuleProblem], origin: str = ORIGIN) -> None:
        self.found = tuple(found)
        super().__init__(SettingProblem(problem.setting or origin, str(problem)) for problem in found)


def place_of(path: Path) -> str:
    """`employees.scope#2.all#1.column`: members of lists are counted from 1."""
    place = ""
    for part in path:
        place += f"#{part + 1}" if isinstance(part, int) else f".{part[:LONGEST_SHOWN]}"
    return place.removeprefix(".")


def shown(value: object) -> str:
    """A value as the file would have it, shortened."""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    text = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
    return f'"{text}"' if isinstance(value, str) else text


def meant(word: str, known: Iterable[str]) -> str:
    """`, did you mean "owner"?` for a word that is near a known one, compared without case; else nothing."""
    names = {name.casefold(): name for name in known}
    near = get_close_matches(word[:LONGEST_SHOWN].casefold(), names, 1)
    return f", did you mean {shown(names[near[0]])}?" if near else ""


def listed(names: Iterable[str], last: str = "or") -> str:
    """`"a", "b" or "c"`."""
    quoted = [shown(name) for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {last} {quoted[-1]}"
