"""Which node of the namespace an AMQP address means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

CBS = "$cbs"
MANAGEMENT = "/$management"


@dataclass(frozen=True)
class Node:
    """A queue, its management, or the place for tokens (whose queue is empty)."""

    kind: Literal["queue", "management", "tokens"]
    queue: str


def node_of(address: str, queues: Iterable[str]) -> Node | None:
    """The node; names do not depend on case. None when there is no such queue.

    Clients write `queue`, or `amqps://host:port/queue`.
    """
    path = urlsplit(address).path.strip("/") if "://" in address else address.strip("/")
    if path.lower() == CBS:
        return Node("tokens", "")
    managed = path.lower().endswith(MANAGEMENT)
    name = path[: -len(MANAGEMENT)] if managed else path
    known = {queue.lower(): queue for queue in queues}
    if name.lower() not in known:
        return None
    return Node("management" if managed else "queue", known[name.lower()])


def covers(audience: str, node: Node) -> bool:
    """Whether a token for `audience` (sb://host:port/queue) is good for a node: for what lies below too."""
    granted = urlsplit(audience).path.strip("/").lower()
    asked = node.queue.lower()
    return granted == "" or asked == granted or asked.startswith(granted + "/")
