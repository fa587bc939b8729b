"""What the sync takes for granted about a system, and what was seen of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from string import ascii_letters, digits
from typing import Any, Literal

Verdict = Literal["confirmed", "contradicted", "unknown"]


@dataclass(frozen=True)
class Assumption:
    """`says` is the assumption in one sentence, `seen` what was seen, `meaning` what follows if it is
    not so, with the setting that answers it. `contract` is where it stands. Never holds personal data:
    counts, types and names of fields only."""

    name: str
    verdict: Verdict
    says: str
    seen: str
    contract: str
    meaning: str = ""

    def to_json(self) -> dict[str, str]:
        """A JSON object."""
        return asdict(self)


Shapes = dict[str, dict[str, int]]
"""Field -> how often its value had which type."""


def shapes(records: Iterable[Mapping[str, Any]]) -> Shapes:
    """The fields of records with the types of their values: nothing of the values themselves."""
    found: dict[str, Counter[str]] = {}
    for record in records:
        for name, value in record.items():
            found.setdefault(str(name), Counter())[type(value).__name__] += 1
    return {name: dict(counts) for name, counts in sorted(found.items())}


def id_forms(values: Iterable[Any]) -> dict[str, int]:
    """`number`, `5 digits`, `5 letters and digits`, `36 signs`, `none`: how many ids have which form."""
    return dict(Counter(map(_id_form, values)))


def _id_form(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return "number"
    if not isinstance(value, str) or not value:
        return "none"
    signs = set(value)
    kind = (
        "digits"
        if signs <= set(digits)
        else "letters and digits"
        if signs <= set(ascii_letters + digits)
        else "signs"
    )
    return f"{len(value)} {kind}"


def share(values: Collection[Any], wanted: Collection[Any]) -> str:
    """`12 of 25`: how many of `wanted`'s kind there are among `values`."""
    return f"{len(wanted):,} of {len(values):,}"


MOSTLY = 0.9
"""A few records may be otherwise: runs report each of these."""


def mostly(values: Collection[Any], wanted: Collection[Any]) -> Verdict:
    """Whether what was wanted is true of nearly all."""
    return judged(len(wanted) >= MOSTLY * len(values) if values else None)


def judged(good: bool | None) -> Verdict:
    """None: nothing was there to judge by."""
    return "unknown" if good is None else "confirmed" if good else "contradicted"
