"""A Key Vault over https and the identity endpoint of an app, for the real SDKs."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from azure.core.pipeline.transport import RequestsTransport
from azure.keyvault.secrets._shared import http_challenge_cache

from local.simulators.certificate import loopback_certificate
from local.simulators.key_vault import KeyVaultSimulator
from local.simulators.listener import HOST, Listener
from local.simulators.managed_identity import SYSTEM_ASSIGNED, TOKEN_PATH, ManagedIdentitySimulator
from shared.clock import SystemClock

VAULT_HOST = "company-secrets.vault.azure.net"
IDENTITY = "11111111-2222-3333-4444-555555555555"
HEADER = "header-of-this-instance"


@dataclass
class KeyVaultRig:
    """`pauses` are the seconds that the SDKs wanted to sleep; they did not."""

    vault: KeyVaultSimulator
    identity: ManagedIdentitySimulator
    url: str
    pauses: list[float]


@contextmanager
def key_vault_rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyVaultRig]:
    """A vault that its host name leads to, and an app with a system-assigned and a user-assigned identity."""
    clock = SystemClock()
    identity = ManagedIdentitySimulator(clock, HEADER, {SYSTEM_ASSIGNED, IDENTITY})
    vault = KeyVaultSimulator(clock, identity.accepts)
    tls, authority = loopback_certificate(tmp_path, VAULT_HOST)
    https, http = Listener({"": vault}, tls=tls), Listener({"": identity})
    pauses: list[float] = []
    _resolve_here(monkeypatch)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://{HOST}:{http.port}{TOKEN_PATH}")
    monkeypatch.setenv("IDENTITY_HEADER", HEADER)
    monkeypatch.setattr(RequestsTransport, "sleep", lambda _self, seconds: pauses.append(seconds))
    https.start()
    http.start()
    try:
        yield KeyVaultRig(vault, identity, f"https://{VAULT_HOST}:{https.port}", pauses)
    finally:
        https.stop()
        http.stop()


def _resolve_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the vault's name lead to this machine, as a hosts file would: the SDK compares the name with the
    challenge's domain, and no option of ours may switch that off. What it remembers of them is forgotten."""
    resolve = socket.getaddrinfo

    def here(host: Any, *arguments: Any, **options: Any) -> Any:
        return resolve(HOST if host == VAULT_HOST else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", here)
    http_challenge_cache.clear()
