"""What ties a run of the simulation to its seed, and its log lines to itself."""

from __future__ import annotations

import functools
import logging
import random
import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from shared.telemetry.log_format import JsonFormatter


@contextmanager
def deterministic(dice: Any) -> Iterator[None]:
    """All randomness of the product from the seed."""
    before = random.getstate()
    random.seed(dice.getrandbits(64))
    with (
        mock.patch.object(
            secrets, "token_hex", lambda count=16: f"{dice.getrandbits(8 * count):0{2 * count}x}"
        ),
        mock.patch.object(uuid, "uuid4", functools.partial(_uuid, dice)),
    ):
        try:
            yield
        finally:
            random.setstate(before)


def _uuid(dice: Any) -> uuid.UUID:
    return uuid.UUID(int=dice.getrandbits(128), version=4)


class _Collector(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))


@contextmanager
def collected_logs(lines: list[str]) -> Iterator[None]:
    """Every log line of the product goes to `lines` and nowhere else."""
    logger, collector = logging.getLogger("shared"), _Collector(lines)
    level, propagate = logger.level, logger.propagate
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(collector)
    # Nobody reads in which line, thread and process a line was written; finding out takes longer.
    unread = mock.patch.multiple(
        logging, _srcfile=None, logThreads=False, logProcesses=False, logMultiprocessing=False
    )
    unread.start()
    try:
        yield
    finally:
        unread.stop()
        logger.removeHandler(collector)
        logger.setLevel(level)
        logger.propagate = propagate
