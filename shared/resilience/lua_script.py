"""A Lua script in its own file, run by EVALSHA; Redis is taught it again after it forgot (NOSCRIPT)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redis import Redis

Argument = str | int
MICRO = 1_000_000


class LuaScript:
    """The script in the file `name`, which lies beside this module; read when it is first run.

    All keys of one run share a `{hash tag}`: a clustered Redis refuses the script otherwise.
    """

    def __init__(self, name: str) -> None:
        self._path = Path(__file__).with_name(name)

    @cached_property
    def _text(self) -> str:
        return self._path.read_text(encoding="utf-8")

    @cached_property
    def _sha(self) -> str:
        return hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    def run(self, client: Redis, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """The script's answer: integers, bytes, None, or lists of these."""
        from redis.exceptions import NoScriptError

        given: list[Any] = [*keys, *arguments]
        try:
            return client.evalsha(self._sha, len(keys), *given)
        except NoScriptError:
            client.script_load(self._text)
            return client.evalsha(self._sha, len(keys), *given)


def microseconds(seconds: float) -> int:
    """Whole microseconds, the unit of time in our scripts (exact in Lua's doubles until the year 2255)."""
    return round(seconds * MICRO)


def milliseconds(seconds: float) -> int:
    """Whole milliseconds, rounded up, for Redis' own expiry."""
    return -int(-seconds * 1000 // 1)
