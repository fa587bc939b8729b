"""A real redis-server on a free port, for one test module; load with `pytest_plugins`."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator

import pytest

from local import redis_server as local_redis


class RedisServer(local_redis.RedisServer):
    """A server that can also be frozen."""

    def freeze(self) -> None:
        """Connections stay open, answers stay away."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A running server. Without the binary: a skip at home, a failure in CI, where it must be there."""
    binary = shutil.which(local_redis.BINARY)
    if binary is None:
        missing = "redis-server is not installed (Debian: apt-get install redis-server)"
        if os.environ.get("CI", "").lower() in {"true", "1"}:
            pytest.fail(missing)
        pytest.skip(missing)
    server = RedisServer(binary, tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()
