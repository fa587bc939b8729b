"""Redis on virtual time: the product's own Lua scripts on a small store, with every fault on demand.

fakeredis takes its time from the machine's clock and needs milliseconds per script; a simulation of
thousands of runs needs neither. Only the commands that the product uses are there; others raise.

Lua is 5.1, a real Redis's, by name: fakeredis loads that one with its symbols in sight, and another Lua
in the same process would call into it and crash.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Any

from lupa import lua51
from redis.exceptions import ConnectionError, NoScriptError

from shared.clock import Clock

COMPILE = """
function(text, call)
  local script = loadstring(text)
  local function result(is_list, ...)
    if is_list then return {...} end
    return (...)
  end
  local redis = {call = function(...) return result(call(...)) end}
  return function(count, ...)
    local keys, argv = {}, {...}
    for place = 1, count do keys[place] = table.remove(argv, 1) end
    local answer = setfenv(script, setmetatable({KEYS=keys, ARGV=argv, redis=redis}, {__index=_G}))()
    if type(answer) == 'table' then return true, unpack(answer) end
    return false, answer
  end
end
"""
"""Lists go from one language to the other as their values: a table that is looked into from outside takes as
long as the script. No list of a reply holds another one."""


class VirtualRedis:
    """The server: data, scripts and whether it can be reached. Time is `clock`'s."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.away = False
        self._values: dict[str, Any] = {}
        self._expires: dict[str, float] = {}
        self.scripts: dict[str, Callable[..., Any]] = {}
        self._lua = lua51.LuaRuntime(unpack_returned_tuples=True, encoding="latin-1")
        self._compile = self._lua.eval(COMPILE)

    def empty(self) -> None:
        """Restarted without its data."""
        self._values.clear()
        self._expires.clear()

    def forget_scripts(self) -> None:
        """SCRIPT FLUSH."""
        self.scripts.clear()

    def load(self, text: str) -> str:
        sha = hashlib.sha1(text.encode()).hexdigest()
        self.scripts[sha] = self._compile(text, self._call_from_lua)
        return sha

    def evaluate(self, sha: str, keys: list[str], arguments: list[Any]) -> Any:
        if sha not in self.scripts:
            raise NoScriptError("NOSCRIPT No matching script.")
        return _reply(*self.scripts[sha](len(keys), *map(_text, keys), *map(_text, arguments)))

    def get(self, key: str) -> Any:
        self._drop_expired(key)
        return self._values.get(key)

    def put(self, key: str, value: Any, px: int | None) -> None:
        self._values[key] = value
        self._expires.pop(key, None)
        if px is not None:
            self._expires[key] = self._now() + px / 1000

    def remove(self, key: str) -> int:
        self._expires.pop(key, None)
        return int(self._values.pop(key, None) is not None)

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _drop_expired(self, key: str) -> None:
        if key in self._expires and self._expires[key] <= self._now():
            self.remove(key)

    def _call_from_lua(self, name: str, *arguments: Any) -> tuple[Any, ...]:
        """Whether the result is a list, and its values."""
        result = getattr(self, f"_do_{name.lower()}")(*map(_text, arguments))
        values = result if isinstance(result, list) else [result]
        return isinstance(result, list), *(False if item is None else item for item in values)

    def _do_time(self) -> list[str]:
        whole = round(self._now() * 1_000_000)
        return [str(whole // 1_000_000), str(whole % 1_000_000)]

    def _do_hmget(self, key: str, *fields: str) -> list[str | None]:
        value = self.get(key) or {}
        return [value.get(field) for field in fields]

    def _do_hset(self, key: str, *pairs: str) -> int:
        value = self.get(key)
        if value is None:
            value = self._values[key] = {}
        value.update(zip(pairs[::2], pairs[1::2], strict=True))
        return len(pairs) // 2

    def _do_del(self, key: str) -> int:
        self._drop_expired(key)
        return self.remove(key)

    def _do_pexpire(self, key: str, milliseconds: str) -> int:
        if self.get(key) is None:
            return 0
        self._expires[key] = self._now() + float(milliseconds) / 1000
        return 1

    def _do_pttl(self, key: str) -> int:
        if self.get(key) is None:
            return -2
        return math.ceil((self._expires[key] - self._now()) * 1000) if key in self._expires else -1

    def _do_set(self, key: str, value: str, _px: str, milliseconds: str) -> str:
        self.put(key, value, int(float(milliseconds)))
        return "OK"

    def _scores(self, key: str) -> dict[str, float]:
        return self.get(key) or {}

    def _do_zadd(self, key: str, *arguments: str) -> int:
        scores = self.get(key)
        if scores is None:
            scores = self._values[key] = {}
        only_new = arguments[0] == "NX"
        score, member = arguments[-2:]
        if not (only_new and member in scores):
            scores[member] = float(score)
        return 1

    def _do_zremrangebyscore(self, key: str, _low: str, high: str) -> int:
        scores = self._scores(key)
        gone = [member for member, score in scores.items() if score <= float(high)]
        for member in gone:
            del scores[member]
        if not scores:
            self.remove(key)
        return len(gone)

    def _do_zscore(self, key: str, member: str) -> str | None:
        score = self._scores(key).get(member)
        return None if score is None else f"{score:.0f}"

    def _do_zcard(self, key: str) -> int:
        return len(self._scores(key))

    def _do_zcount(self, key: str, low: str, _high: str) -> int:
        return sum(1 for score in self._scores(key).values() if score > float(low.removeprefix("(")))

    def _do_zrange(self, key: str, first: str, last: str, _with: str) -> list[str]:
        ranked = sorted(self._scores(key).items(), key=lambda pair: (pair[1], pair[0]))
        chosen = ranked[int(float(first)) : int(float(last)) + 1]
        return [text for member, score in chosen for text in (member, f"{score:.0f}")]


class VirtualClient:
    """What redis-py's client is to the product: `pause` is called before every command, `ran` after every
    script with its first argument."""

    def __init__(self, server: VirtualRedis, pause: Callable[[], None], ran: Callable[[str], None]) -> None:
        self._server = server
        self._pause = pause
        self._ran = ran

    def evalsha(self, sha: str, key_count: int, *keys_and_arguments: Any) -> Any:
        self.reach()
        keys, arguments = keys_and_arguments[:key_count], keys_and_arguments[key_count:]
        value = self._server.evaluate(sha, list(keys), list(arguments))
        self._ran(_text(arguments[0]))
        return value

    def script_load(self, text: str) -> str:
        self.reach()
        return self._server.load(_text(text))

    def get(self, key: str) -> Any:
        self.reach()
        return self._server.get(key)

    def set(self, key: str, value: Any, px: int | None = None) -> bool:
        self.reach()
        self._server.put(key, value, px)
        return True

    def unlink(self, key: str) -> int:
        self.reach()
        return self._server.remove(key)

    def pipeline(self, transaction: bool = True) -> Pipeline:
        return Pipeline(self.reach)

    def close(self) -> None:
        """Nothing to close."""

    def reach(self) -> None:
        self._pause()
        if self._server.away:
            raise ConnectionError("Connection refused")


class Pipeline:
    """The cache's statistics: one more command that can fail; nobody reads the numbers here."""

    def __init__(self, reach: Callable[[], None]) -> None:
        self.reach = reach

    def hincrby(self, key: str, field: str, amount: int) -> None:
        """Not kept."""

    def expire(self, key: str, seconds: int) -> None:
        """Not kept."""

    def execute(self) -> None:
        self.reach()


def _text(value: Any) -> str:
    if type(value) is str:
        return value
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return str(value)


def _reply(is_list: bool, *values: Any) -> Any:
    """Lua's values as Redis would send them: numbers as integers, texts as bytes."""
    sent = [
        value.encode() if isinstance(value, str) else int(value) if isinstance(value, float) else value
        for value in values
    ]
    return sent if is_list else sent[0]
