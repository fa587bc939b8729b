"""The address that a user has between two calls, while somebody else takes the one that it had. Pure.

A ring of e-mails is opened with it, because an e-mail cannot be cleared.
"""

from __future__ import annotations

_MARK = "+sync"


def makeshift(address: str) -> str:
    """What stands in for this address until it is free."""
    local, _, domain = address.rpartition("@")
    return f"{local}{_MARK}@{domain}"


def is_makeshift(address: object) -> bool:
    """Whether an address looks like one that was meant for the time between two calls."""
    return isinstance(address, str) and address.rpartition("@")[0].endswith(_MARK)
