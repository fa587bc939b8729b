"""The Redis of the embedded stack: the real one if it runs, else one inside this process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from shared.resilience.redis_connection import RedisFactory, connect

if TYPE_CHECKING:
    from redis import Redis

    from shared.config import Settings

PING_SECONDS = 0.5

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RedisChoice:
    """A RedisFactory that says in `description` which Redis it leads to."""

    description: str
    embedded: bool
    factory: RedisFactory

    def __call__(self) -> Redis:
        return self.factory()


def embedded_redis(settings: Settings) -> RedisChoice:
    """The server at REDIS_HOST:REDIS_PORT when it answers a PING within half a second, else the embedded one.

    The embedded one is the same for the whole process, knows Lua, and forgets everything with the process.
    """
    where = f"{settings.redis_host}:{settings.redis_port}"
    problem = _ping(connect(settings, timeout_seconds=PING_SECONDS))
    if problem is None:
        choice = RedisChoice(f"Redis at {where}", False, connect(settings))
    else:
        choice = RedisChoice(f"embedded Redis ({where}: {problem})", True, _embedded_client)
    logger.info("Redis chosen", extra={"redis": choice.description})
    return choice


def _ping(factory: Callable[[], Redis]) -> str | None:
    """None when the server answers, else the kind of error."""
    from redis.exceptions import RedisError

    client = factory()
    try:
        client.ping()
    except (RedisError, ValueError) as error:  # ValueError: what answers is no Redis
        return type(error).__name__
    finally:
        client.close()
    return None


def _embedded_client() -> Redis:
    from fakeredis import FakeStrictRedis

    return cast("Redis", FakeStrictRedis(server=_embedded_server()))


@lru_cache(maxsize=1)
def _embedded_server() -> Any:
    from fakeredis import FakeServer

    return FakeServer()
