"""The operations that the table of costs counts with are those of a run of the benchmark's company."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.bench.company import bench_company
from local.bus.in_process import InProcessBus
from local.documents.kept import KeptDocuments
from local.documents.memory import MemoryDocuments
from tests.unit.infra.costs_script import costs

READS = ("read", "folders")
WRITES = ("create", "replace", "write", "delete", "list", "acquire_lease", "renew_lease", "release_lease")
PEOPLE = 400
HARDLY_LESS = 0.7
"""Which records change is a matter of the day."""


def test_a_run_costs_as_many_operations_and_messages_as_the_table_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: Counter[str] = Counter()

    def count(owner: type, name: str, what: str, many: Callable[..., int] = lambda *_: 1) -> None:
        inner = getattr(owner, name)

        def counting(self: Any, *arguments: Any, **named: Any) -> Any:
            counted[what] += many(*arguments)
            return inner(self, *arguments, **named)

        monkeypatch.setattr(owner, name, counting)

    for name in (*READS, *WRITES):
        owner = MemoryDocuments if name in vars(MemoryDocuments) else KeptDocuments
        count(owner, name, "reads" if name in READS else "writes")
    count(InProcessBus, "send", "messages", len)
    with bench_company(PEOPLE, tmp_path) as company:
        company.run()
        company.change(PEOPLE // 100)
        counted.clear()
        company.run()
    figures = {"reads": costs.RUN_READS, "writes": costs.RUN_WRITES, "messages": costs.RUN_MESSAGES}
    assert counted <= Counter(figures)
    assert all(counted[what] >= HARDLY_LESS * figure for what, figure in figures.items()), counted
