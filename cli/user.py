"""Who sits at this machine."""

from __future__ import annotations

from getpass import getuser


def user_name() -> str | None:
    """The user's name, None where nobody knows it."""
    try:
        return getuser()
    except (OSError, KeyError, ImportError):
        return None
