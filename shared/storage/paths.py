"""Which paths a document may have: the same rule in Blob Storage, in a folder and in memory."""

from __future__ import annotations

import re

PART = "[A-Za-z0-9_][A-Za-z0-9_.@+=-]*"
PATH = re.compile(rf"{PART}(?:/{PART})*\Z")
MAX_CHARACTERS = 200


def checked_path(path: str) -> str:
    """`path` itself when every part is a plain name; raises ValueError otherwise.

    Parts that begin with a dot (`..`, hidden names), empty parts, absolute paths, drive letters and
    backslashes are refused: an id that came with a request must not lead out of its folder.
    """
    if len(path) > MAX_CHARACTERS or not PATH.match(path):
        raise ValueError(
            f"{path[:MAX_CHARACTERS]!r} is no document path: parts of letters, digits and _.@+=- joined "
            f"by '/', at most {MAX_CHARACTERS} characters"
        )
    return path


def checked_prefix(prefix: str) -> str:
    """`prefix` itself when paths can begin with it; raises ValueError otherwise."""
    checked_path(prefix + "x" if prefix == "" or prefix.endswith("/") else prefix)
    return prefix
