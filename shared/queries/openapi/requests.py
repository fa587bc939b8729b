"""What may be asked, as types: parameters and bodies; and their limits, which `functions/` holds them to."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from shared.queries.cache_names import CacheName
from shared.sync.model import EntityName
from shared.sync.rules.fields import MOST_BYTES

LINE_PATTERN = r"^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]+$"
"""No control characters, no line or paragraph separators, nothing that turns the direction of writing."""
LONGEST_LINE = 200
Line = Annotated[str, Field(min_length=1, max_length=LONGEST_LINE, pattern=LINE_PATTERN)]
"""One line of text."""
Flag = Literal["true", "false"]
"""In a query everything is text."""
Key = Annotated[str, Field(min_length=1, max_length=LONGEST_LINE, pattern=r"^[0-9A-Za-z .:_~-]+$")]
"""As far as a path can hold it."""
EntityOrAll = Literal["all", EntityName]
CachedOrAll = Literal[CacheName, "all"]
ChangeCursor = Annotated[str, Field(pattern=r"^[0-9]{1,2}\.[0-9]{1,6}\.[0-9]{1,6}$")]
WHO = "Who decides; kept with the decision. Below /entra it is who has signed in, whatever is said here."
REASON = "Why; kept with the decision."

MOST_KEYS, MOST_LETTERS = 500, 200


class PageSize(NamedTuple):
    """How many items a page has, and may have."""

    default: int
    most: int


RUNS_PER_PAGE = PageSize(20, 100)
CHANGES_PER_PAGE = PageSize(100, 500)
PLANNED_PER_PART = PageSize(100, 5000)
DECISIONS_PER_PAGE = PageSize(50, 200)
HISTORY_PER_PAGE = PageSize(50, 500)
LETTERS_PER_PAGE = PageSize(50, MOST_LETTERS)
TREND_DAYS = PageSize(30, 90)


class SearchRequest(TypedDict):
    text: Line
    entity: NotRequired[EntityName]


class Deciding(TypedDict, total=False):
    """What every request that changes something may say of itself."""

    reason: Annotated[Line, Field(description=REASON)]
    who: Annotated[Line | None, Field(description=WHO)]


class NamesRequest(TypedDict):
    entity: EntityName
    keys: Annotated[list[Line], Field(min_length=1, max_length=MOST_KEYS)]


@with_config(ConfigDict(json_schema_extra={"dependentRequired": {"keys": ["entity"]}}))
class RetryRequest(Deciding, total=False):
    entity: EntityName
    keys: Annotated[list[Line], Field(min_length=1, max_length=MOST_KEYS)]


RulesText = Annotated[
    str, Field(min_length=1, max_length=MOST_BYTES, description="A whole `rules.toml`, 256 KB at most.")
]
AFTER = "The version that these rules were made from: refused where another one is in force by now."
MOST_VERSIONS = 1_000_000
Number = Annotated[int, Field(ge=0, le=MOST_VERSIONS)]


class PushRequest(Deciding):
    text: RulesText
    after: NotRequired[Annotated[Number, Field(description=AFTER)]]


class RollbackRequest(Deciding):
    version: Annotated[Number, Field(description="Which to put in force again; 0: the default file.")]
    after: NotRequired[Annotated[Number, Field(description=AFTER)]]


class PreviewRequest(TypedDict):
    text: RulesText


class ResubmitRequest(Deciding, total=False):
    ids: Annotated[list[Line], Field(min_length=1, max_length=MOST_LETTERS)]


class EntityRequest(Deciding, total=False):
    entity: EntityOrAll
