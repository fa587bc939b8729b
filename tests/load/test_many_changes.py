"""A company of any size in virtual time: as many writes as planned, within the limit.

`make load` asks for 50 000 people; LOAD_CHANGES sets their number.
"""

from __future__ import annotations

import os
from pathlib import Path

from local.bench.call_windows import fullest_window
from local.bench.company import bench_company

LOAD_CHANGES = int(os.environ.get("LOAD_CHANGES", "2000"))
CALLS, PERIOD = 60, 61.0
REFUSED_BY_THE_API = 429


def test_as_many_writes_as_changes_and_the_limit_is_never_exceeded(tmp_path: Path) -> None:
    with bench_company(LOAD_CHANGES, tmp_path) as company:
        first = company.run()
        company.change(LOAD_CHANGES // 2)
        second = company.run()
        calls = company.safetyamp.calls
    assert first.planned > LOAD_CHANGES // 2, "most people are created"
    assert (first.writes, first.repeated) == (first.planned, 0)
    assert (second.writes, second.pages) == (LOAD_CHANGES // 2, 0)
    assert [call for call in calls if call.status == REFUSED_BY_THE_API] == []
    assert fullest_window([call.at for call in calls], PERIOD) <= CALLS
