"""What an option may be: one that cannot be ends the command line with a sentence that names the option."""

from __future__ import annotations

import argparse
import errno
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shared.errors import ConfigurationError

LARGEST_PORT = 65535
LARGEST_NUMBER = 10_000_000


def whole_number(least: int, most: int = LARGEST_NUMBER) -> Callable[[str], int]:
    """A whole number of a range, for argparse."""

    def read(text: str) -> int:
        digits = text.strip()
        # Looked at before it is converted: int() also takes other scripts' digits, and underscores.
        if digits.isascii() and digits.isdigit() and len(digits) <= len(str(most)):
            number = int(digits)
            if least <= number <= most:
                return number
        raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}, not {text[:20]!r}")

    return read


def seconds(text: str) -> float:
    """A time longer than nothing, and a day at most."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number <= 86_400:
        raise argparse.ArgumentTypeError(f"must be seconds, more than 0 and at most 86400, not {text[:20]!r}")
    return number


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
