"""What an option may be: one that cannot be ends the command line with a sentence that names the option."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

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
