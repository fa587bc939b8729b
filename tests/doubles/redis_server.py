"""A real redis-server on a free port, for one test module; load with `pytest_plugins`."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from local.host import redis_server as local_redis
from tests.doubles.tcp_proxy import free_port
from tests.real_parts import REDIS, required


class RedisServer(local_redis.RedisServer):
    """A server that can also be frozen."""

    def freeze(self) -> None:
        """Connections stay open, answers stay away."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)


class TlsRedisServer(RedisServer):
    """A server that also listens with TLS at `tls_port`, for the names of `certificate`."""

    def __init__(
        self, binary: str, folder: Path, authority: trustme.CA, certificate: trustme.LeafCert
    ) -> None:
        self.tls_port = free_port()
        self.authority_file = folder / "ca.pem"
        certificate_file, key_file = folder / "server.pem", folder / "server.key"
        authority.cert_pem.write_to_path(str(self.authority_file))
        certificate.cert_chain_pems[0].write_to_path(str(certificate_file))
        certificate.private_key_pem.write_to_path(str(key_file))
        options = ["--tls-port", str(self.tls_port), "--tls-auth-clients", "no"]
        options += ["--tls-cert-file", str(certificate_file), "--tls-key-file", str(key_file)]
        super().__init__(binary, folder, [*options, "--tls-ca-cert-file", str(self.authority_file)])


Starter = Callable[..., RedisServer]
TlsStarter = Callable[[trustme.CA, trustme.LeafCert], TlsRedisServer]


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A running server."""
    server = RedisServer(required(REDIS), tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def start_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    """Starts servers with further options."""
    servers: list[RedisServer] = []

    def start(*options: str) -> RedisServer:
        servers.append(RedisServer(required(REDIS), tmp_path_factory.mktemp("redis"), options))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.fixture(scope="module")
def start_tls_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsStarter]:
    """Starts servers with the certificate they are given."""
    servers: list[TlsRedisServer] = []

    def start(authority: trustme.CA, certificate: trustme.LeafCert) -> TlsRedisServer:
        folder = tmp_path_factory.mktemp("tls-redis")
        servers.append(TlsRedisServer(required(REDIS), folder, authority, certificate))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.fixture(scope="module")
def tls_redis(start_tls_redis: TlsStarter) -> TlsRedisServer:
    """A running server with a certificate for localhost, not for 127.0.0.1."""
    authority = trustme.CA()
    return start_tls_redis(authority, authority.issue_cert("localhost"))
