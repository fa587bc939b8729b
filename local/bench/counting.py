"""How often documents and messages are used: what a run costs besides calls to SafetyAmp."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from shared.runtime import Runtime
from shared.storage.bus import Bus, Message
from shared.storage.documents import Document, Documents
from shared.sync.documents.runs import RUN_ID
from shared.sync.model import ENTITIES

_NAMES = (
    (re.compile(rf"{RUN_ID.pattern}(?=/|$)", re.ASCII), "RUN"),
    (re.compile(rf"\b(?:{'|'.join(ENTITIES)})\b"), "ENTITY"),
    (re.compile(r"(?<=/)[0-9a-f]{8,16}(?=/|\.)"), "PLAN"),
    (re.compile(r"(?<=/)\d{4,}(?=\.)"), "NUMBER"),
)


def path_kind(path: str) -> str:
    """A path without what differs from run to run: `runs/RUN/ENTITY/plan.json`."""
    for pattern, name in _NAMES:
        path = pattern.sub(name, path)
    return path


class Operations:
    """What has been counted: documents by operation and kind of path ("read runs/RUN/run.json"), messages by
    queue, entity and the beginning of their cause ("message entity-sync jobs release")."""

    def __init__(self) -> None:
        self.documents: Counter[str] = Counter()
        self.messages: Counter[str] = Counter()

    def clear(self) -> None:
        """Begin anew."""
        self.documents.clear()
        self.messages.clear()


def counted(runtime: Runtime) -> Operations:
    """Count what this runtime does from now on."""
    operations = Operations()
    documents, bus = CountingDocuments(runtime.documents, operations), CountingBus(runtime.bus, operations)
    # An attribute of the instance goes before the one that the class has built.
    vars(runtime).update(documents=documents, bus=bus)
    return operations


class CountingDocuments:
    """Implements Documents; each operation is one request to Blob Storage."""

    def __init__(self, inner: Documents, operations: Operations) -> None:
        self._inner = inner
        self._operations = operations

    def _count(self, operation: str, path: str) -> None:
        self._operations.documents[f"{operation} {path_kind(path)}"] += 1

    def read(self, path: str) -> Document | None:
        self._count("read", path)
        return self._inner.read(path)

    def create(self, path: str, data: bytes) -> str:
        self._count("create", path)
        return self._inner.create(path, data)

    def replace(self, path: str, data: bytes, etag: str) -> str:
        self._count("replace", path)
        return self._inner.replace(path, data, etag)

    def write(self, path: str, data: bytes, *, lease_id: str | None = None) -> str:
        self._count("write", path)
        return self._inner.write(path, data, lease_id=lease_id)

    def delete(self, path: str) -> None:
        self._count("delete", path)
        self._inner.delete(path)

    def list(self, prefix: str) -> Iterator[str]:
        self._count("list", prefix)
        return self._inner.list(prefix)

    def folders(self, prefix: str) -> Iterator[str]:
        self._count("folders", prefix)
        return self._inner.folders(prefix)

    def acquire_lease(self, path: str, seconds: int) -> str:
        self._count("acquire", path)
        return self._inner.acquire_lease(path, seconds)

    def renew_lease(self, path: str, lease_id: str) -> None:
        self._count("renew", path)
        self._inner.renew_lease(path, lease_id)

    def release_lease(self, path: str, lease_id: str) -> None:
        self._count("release", path)
        self._inner.release_lease(path, lease_id)


class CountingBus:
    """Implements Bus; each message is one."""

    def __init__(self, inner: Bus, operations: Operations) -> None:
        self._inner = inner
        self._operations = operations

    def send(self, messages: Sequence[Message]) -> None:
        self._operations.messages.update(map(_message_kind, messages))
        self._inner.send(messages)

    def close(self) -> None:
        self._inner.close()


def _message_kind(message: Message) -> str:
    body = json.loads(message.body)
    return f"message {message.queue} {body['entity']} {body['cause'].split('/')[0]}"
