"""A Redis for several processes of this machine: the real server where one is installed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis import Redis

HOST = "127.0.0.1"
BINARY = "redis-server"
START_SECONDS = 15.0


class RedisServer:
    """A real server that can be killed and started again on the same port; it keeps nothing on disk.

    `options` are further arguments of redis-server.
    """

    def __init__(self, binary: str, folder: Path, options: Sequence[str] = ()) -> None:
        self._binary = binary
        self._options = options
        self._folder = folder
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process, which must have been started."""
        assert self._process is not None, "the server has not been started"
        return self._process

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        command = [self._binary, "--port", str(self.port), "--bind", HOST, "--save", ""]
        self._process = subprocess.Popen(  # noqa: S603  the binary found on PATH
            [*command, "--appendonly", "no", "--dir", str(self._folder), *self._options],
            stdout=subprocess.DEVNULL,
        )
        self._wait_until_it_answers()

    def kill(self) -> None:
        """As a crash would: everything is forgotten."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def client(self) -> Redis:
        """A client with redis-py's own defaults."""
        from redis import Redis

        return Redis(host=HOST, port=self.port)

    def _wait_until_it_answers(self) -> None:
        from redis.exceptions import ConnectionError

        deadline = time.monotonic() + START_SECONDS
        with self.client() as client:
            while True:
                try:
                    client.ping()
                except ConnectionError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.02)
                else:
                    return


@contextmanager
def redis_for_all(folder: Path) -> Iterator[tuple[str, int]]:
    """Which Redis the processes of this machine share while the block runs, and its port: redis-server when
    it is on PATH, else the embedded one behind a socket of this process."""
    binary = shutil.which(BINARY)
    if binary is None:
        with _embedded_server() as port:
            yield "embedded Redis behind a socket", port
        return
    server = RedisServer(binary, folder)
    server.start()
    try:
        yield BINARY, server.port
    finally:
        server.kill()


@contextmanager
def _embedded_server() -> Iterator[int]:
    from fakeredis import TcpFakeServer

    server = TcpFakeServer((HOST, 0), server_type="redis")
    threading.Thread(target=server.serve_forever, name="redis", daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
