"""Azurite as Blob Storage: its blob service on a free port, in memory; load with `pytest_plugins`."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.doubles.tcp_proxy import free_port
from tests.real_parts import AZURITE, required

START_SECONDS = 30
# Azurite's published development account; everybody's, and no secret.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
CLOCK = Path(__file__).with_name("azurite_clock.js")


@dataclass(frozen=True)
class Azurite:
    """A running service. `clock_file` holds by how many milliseconds its clock is ahead."""

    port: int
    clock_file: Path
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/{ACCOUNT}"

    @property
    def connection(self) -> str:
        return connection_string(self.port)

    def advance(self, seconds: float) -> None:
        """Let time pass for the service, so that no test waits until a lease has run out."""
        ahead = float(self.clock_file.read_text()) + seconds * 1000
        self.clock_file.write_text(str(ahead))


def connection_string(port: int, key: str = ACCOUNT_KEY) -> str:
    """How the account is reached over http at this port of this machine."""
    return (
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={key};"
        f"BlobEndpoint=http://127.0.0.1:{port}/{ACCOUNT};"
    )


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """A service that all tests share: each brings a container of its own."""
    with running(required(AZURITE), tmp_path_factory.mktemp("azurite")) as service:
        yield service


@pytest.fixture
def azurite_connection(azurite: Azurite) -> str:
    """The shared service's connection string."""
    return azurite.connection


@pytest.fixture(scope="module")
def secure_azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Azurite, Path]]:
    """A service over HTTPS that takes tokens as well as keys, and the file of its certificate's authority."""
    folder = tmp_path_factory.mktemp("azurite-https")
    authority, files = trustme.CA(), [folder / name for name in ("ca.pem", "server.pem", "server.key")]
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(files[0]))
    certificate.cert_chain_pems[0].write_to_path(str(files[1]))
    certificate.private_key_pem.write_to_path(str(files[2]))
    options = ["--oauth", "basic", "--cert", str(files[1]), "--key", str(files[2])]
    with running(required(AZURITE), folder, options, "https") as service:
        yield service, files[0]


@contextmanager
def running(
    binary: str, folder: Path, options: Sequence[str] = (), scheme: str = "http"
) -> Iterator[Azurite]:
    """Runs the service."""
    service = Azurite(free_port(), folder / "clock", scheme)
    service.clock_file.write_text("0")
    command = [binary, "--blobHost", "127.0.0.1"]
    command += ["--blobPort", str(service.port), "--inMemoryPersistence", "--skipApiVersionCheck", "--silent"]
    command += ["--disableTelemetry", *options]
    environment = {**os.environ, "NODE_OPTIONS": f"--require {CLOCK}", "CLOCK_FILE": str(service.clock_file)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await_port(service.port, process)
        yield service
    finally:
        process.terminate()
        process.wait(timeout=10)


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"azurite-blob did not listen on port {port} within {START_SECONDS} s")
