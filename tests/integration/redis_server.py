"""A real redis-server on a free port, for one test module; load with `pytest_plugins`."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from local import redis_server as local_redis
from tests.real_parts import REDIS, required


class RedisServer(local_redis.RedisServer):
    """A server that can also be frozen."""

    def freeze(self) -> None:
        """Connections stay open, answers stay away."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A running server."""
    server = RedisServer(required(REDIS), tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()
