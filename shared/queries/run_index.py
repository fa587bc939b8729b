"""Runs by time: their ids sort by it, so that the newest are found without reading any document."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from shared.errors import UnreadableDocument
from shared.storage.documents import Documents
from shared.sync.documents.runs import RUN_ID, Run, read_run, run_ids

__all__ = ["RUN_ID", "newest_runs", "run_ids"]

logger = logging.getLogger(__name__)


def newest_runs(documents: Documents, most: int, known: Sequence[str] | None = None) -> Iterator[Run]:
    """The newest runs, at most `most`, read one by one as they are asked for; those whose
    document cannot be read are passed over. `known`: all ids, where they have been listed already."""
    for run_id in (run_ids(documents) if known is None else known)[:most]:
        try:
            run = read_run(documents, run_id)
        except UnreadableDocument as error:
            logger.warning("%s", error)
            continue
        if run is not None:
            yield run
