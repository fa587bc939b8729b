"""Runs by time: their ids sort by it, so that the newest are found without reading any document."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shared.storage.documents import Documents
from shared.sync.runs import Run, read_run

RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}", re.ASCII)
"""What a run's id looks like: 20260131-120000-0a1b2c."""

RUNS_FOLDER = "runs/"


def run_ids(documents: Documents) -> list[str]:
    """The ids of all runs that are kept, newest first."""
    return sorted((name for name in documents.folders(RUNS_FOLDER) if RUN_ID.fullmatch(name)), reverse=True)


def newest_runs(documents: Documents, most: int) -> Iterator[Run]:
    """The newest runs, at most `most`, read one by one as they are asked for."""
    for run_id in run_ids(documents)[:most]:
        run = read_run(documents, run_id)
        if run is not None:
            yield run
