"""Beginning to listen on a port, or saying why that cannot be."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import ConfigurationError


@contextmanager
def telling_of_port(option: str, port: int, address: str) -> Iterator[None]:
    """Within the block somebody begins to listen. Raises ConfigurationError where that cannot be."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            text = f"{port} is in use by another program on this machine: end that one, or take another port"
        elif error.errno == errno.EACCES:
            text = f"{port} needs an administrator's rights: take a port from 1024 on"
        else:
            option, reason = "--host", error.strerror or type(error).__name__
            text = f"{address} is no address of this machine ({reason})"
        raise ConfigurationError.of(option, text) from error
