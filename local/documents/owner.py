"""Which process owns a lease, and whether it still runs."""

from __future__ import annotations

import os
import platform
from functools import lru_cache

import psutil

START_TOLERANCE_SECONDS = 2.0
"""Start times are computed from the boot time, which a correction of the clock moves a little."""


@lru_cache(maxsize=1)
def _of(pid: int) -> str:
    return f"{platform.node()}/{pid}/{psutil.Process(pid).create_time():.2f}"


def current_owner() -> str:
    """This process, as `machine/pid/start time`: a pid alone would be reused one day."""
    return _of(os.getpid())


def is_gone(owner: str) -> bool:
    """Whether `owner` is known to have ended; False when nobody here can know (another machine)."""
    machine, pid, started = owner.rsplit("/", 2)
    if machine != platform.node():
        return False
    try:
        process = psutil.Process(int(pid))
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        return abs(process.create_time() - float(started)) > START_TOLERANCE_SECONDS
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
