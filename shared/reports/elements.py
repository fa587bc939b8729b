"""HTML from values: whatever is no `Html` already is text, and text is inert."""

from __future__ import annotations

import re
from html import escape

MOST_CHARACTERS = 300
"""Of one text; reasons are a sentence, and a source may hold anything."""

NOT_PRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""No document may hold these, or no encoding has them (half of a character)."""


class Html(str):
    """A piece of a document, as opposed to a text that has yet to become one."""

    __slots__ = ()


Child = str | Html | int | None


def tag(name: str, *children: Child, **attributes: str | None) -> Html:
    """An element; `None` among children or attributes is left out. `class_` is written `class`."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(shown(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{given}>{joined(*children)}</{name}>")


def joined(*children: Child) -> Html:
    """The pieces one after the other; texts are escaped."""
    return Html("".join(map(_piece, children)))


def data(value: Child) -> Html:
    """A text that somebody else wrote: shortened, and unable to turn the direction of what is around it."""
    return tag("bdi", shown("" if value is None else str(value)))


def shown(text: str) -> str:
    """The text without what no document may hold, at most `MOST_CHARACTERS` of it."""
    clean = NOT_PRINTABLE.sub("\ufffd", text[: MOST_CHARACTERS + 1])
    return clean if len(clean) <= MOST_CHARACTERS else f"{clean[:MOST_CHARACTERS]}…"


def _piece(child: Child) -> str:
    if child is None:
        return ""
    return child if isinstance(child, Html) else escape(NOT_PRINTABLE.sub("\ufffd", str(child)))
