"""Figures over all runs, and their Prometheus text."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from local.fake_clock import FakeClock
from local.memory_documents import MemoryDocuments
from shared.storage.documents import read_json
from shared.sync.model import ENTITIES
from shared.sync.runs import EntityStatus, Run, RunRequest
from shared.sync.totals import RUNS_KEPT_APART, TOTALS, Figures, Overview, add_run, overview
from shared.telemetry.metrics import prometheus_text

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(
    rf'({NAME})(?:\{{({NAME}="(?:[^"\\\n]|\\[\\"n])*"(?:,{NAME}="(?:[^"\\\n]|\\[\\"n])*")*)\}})? (\S+)'
)
SUFFIXES = {"counter": ("",), "gauge": ("",), "summary": ("_sum", "_count")}


def samples_of(text: str) -> dict[str, float]:
    """Sample -> value; fails unless the text keeps to the exposition format 0.0.4."""
    assert text.endswith("\n")
    samples: dict[str, float] = {}
    family, kind = "", ""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            assert not any(sample.split("{")[0] == family for sample in samples), (
                "a family must be in one piece"
            )
            assert lines[number + 1].startswith(f"# TYPE {family} ")
        elif line.startswith("# TYPE "):
            kind = line.split(" ")[3]
            assert line == f"# TYPE {family} {kind}"
        else:
            found = SAMPLE.fullmatch(line)
            assert found, f"no sample: {line}"
            assert found[1] in [family + suffix for suffix in SUFFIXES[kind]]
            sample = line.rsplit(" ", 1)[0]
            assert sample not in samples, "the same sample twice"
            samples[sample] = float(found[3])
    return samples


def a_run(number: int = 1) -> Run:
    return Run(
        f"20260105-{number:06d}-abcdef",
        RunRequest(),
        "2026-01-05T12:00:00+00:00",
        {"jobs": EntityStatus("done")},
    )


def a_report(**facts: Any) -> dict[str, Any]:
    return {
        "phase": "done",
        "calls": {"safetyamp": 10},
        "duration_seconds": 60.0,
        "waited_seconds": 1.5,
        "entities": {"jobs": {"created": 3, "invalid": 2}},
        **facts,
    }


@pytest.fixture
def documents() -> MemoryDocuments:
    return MemoryDocuments(FakeClock())


def totals(documents: MemoryDocuments) -> Figures:
    return overview(documents).totals


def test_without_any_run_there_is_nothing(documents: MemoryDocuments) -> None:
    assert overview(documents) == Overview({}, active=False, last_done_at=None)


def test_a_run_is_counted(documents: MemoryDocuments) -> None:
    add_run(documents, a_run(), a_report())
    found = totals(documents)
    assert found["calls"] == {"safetyamp": 10}
    assert found["runs"] == {"done": 1}
    assert found["run_seconds"] == {"sum": 60.0, "count": 1}
    assert found["waited_seconds"] == {"sum": 1.5}
    assert (found["operations"]["jobs/created"], found["operations"]["jobs/invalid"]) == (3, 2)


def test_a_run_counted_twice_counts_once_also_after_others(documents: MemoryDocuments) -> None:
    for number in (1, 1, 2, 1, 2):
        add_run(documents, a_run(number), a_report())
    assert totals(documents)["calls"] == {"safetyamp": 20}
    assert totals(documents)["runs"] == {"done": 2}


def test_counting_again_writes_nothing(documents: MemoryDocuments) -> None:
    add_run(documents, a_run(), a_report())
    before = documents.read(TOTALS)
    add_run(documents, a_run(), a_report())
    assert documents.read(TOTALS) == before


def test_an_approved_run_adds_what_is_new_even_when_another_run_came_between(
    documents: MemoryDocuments,
) -> None:
    held = a_report(phase="held", entities={"jobs": {"created": 0, "invalid": 2}}, calls={"safetyamp": 4})
    add_run(documents, a_run(1), held)
    add_run(documents, a_run(2), a_report())
    add_run(documents, a_run(1), a_report(duration_seconds=600.0))
    found = totals(documents)
    assert found["operations"]["jobs/created"] == 6
    assert found["operations"]["jobs/invalid"] == 4
    assert found["calls"] == {"safetyamp": 20}
    assert found["runs"] == {"held": 1, "done": 2}
    assert found["run_seconds"] == {"sum": 660.0, "count": 2}


def test_no_figure_ever_gets_less(documents: MemoryDocuments) -> None:
    """A counter that falls looks to Prometheus like a restart, and its whole value like an increase."""
    steps = [
        (1, a_report(phase="held")),
        (1, a_report()),
        (2, a_report(phase="failed", calls={})),
        (1, a_report(calls={})),
    ]
    texts = [samples_of(prometheus_text(overview(documents)))]
    for number, report in steps:
        add_run(documents, a_run(number), report)
        texts.append(samples_of(prometheus_text(overview(documents))))
    for before, after in pairwise(texts):
        assert all(after[sample] >= value for sample, value in before.items())


def test_old_runs_are_folded_together_without_losing_one(documents: MemoryDocuments) -> None:
    runs = RUNS_KEPT_APART + 20
    for number in range(runs):
        add_run(documents, a_run(number), a_report())
    assert len(read_json(documents, TOTALS)["recent"]) == RUNS_KEPT_APART
    assert totals(documents)["runs"] == {"done": runs}
    assert totals(documents)["calls"] == {"safetyamp": 10 * runs}


def test_a_run_without_end_or_counts_is_no_error(documents: MemoryDocuments) -> None:
    add_run(documents, a_run(), a_report(duration_seconds=None, calls={}, entities={}))
    assert totals(documents)["run_seconds"] == {"sum": 0.0, "count": 1}


def test_the_text_of_an_empty_company_is_well_formed() -> None:
    assert samples_of(prometheus_text(Overview({}, active=False, last_done_at=None))) == {
        "sync_duration_seconds_sum": 0,
        "sync_duration_seconds_count": 0,
        "sync_waited_seconds_total": 0,
        "active_syncs": 0,
        **{f'sync_paused{{operation="{entity}"}}': 0 for entity in ENTITIES},
    }


def test_the_text_tells_every_figure(documents: MemoryDocuments) -> None:
    add_run(documents, a_run(), a_report())
    last = datetime(2026, 1, 5, 13, 0, tzinfo=UTC)
    samples = samples_of(prometheus_text(Overview(totals(documents), active=True, last_done_at=last)))
    assert samples['sync_operations_total{operation="jobs",status="created"}'] == 3
    assert samples['sync_operations_total{operation="jobs",status="failed"}'] == 0
    assert samples['api_requests_total{service="safetyamp"}'] == 10
    assert samples['sync_runs_total{status="done"}'] == 1
    assert samples["sync_duration_seconds_sum"] == 60
    assert samples["sync_duration_seconds_count"] == 1
    assert samples["sync_waited_seconds_total"] == 1.5
    assert samples["active_syncs"] == 1
    assert samples["last_sync_timestamp"] == last.timestamp()


def test_labels_are_escaped_and_big_figures_are_exact() -> None:
    figures: Figures = {"calls": {'a"b\\c\nd': 123_456_789_012}}
    samples = samples_of(prometheus_text(Overview(figures, active=False, last_done_at=None)))
    assert samples['api_requests_total{service="a\\"b\\\\c\\nd"}'] == 123_456_789_012


@pytest.mark.parametrize(
    "text",
    [
        "no_help 1\n",
        "# HELP a A.\n# TYPE a counter\nb 1\n",
        "# HELP a A.\n# TYPE a counter\na 1\na 1\n",
        '# HELP a A.\n# TYPE a counter\na{x="y} 1\n',
        "# HELP a A.\n# TYPE a counter\na one two\n",
        "# HELP a A.\n# TYPE a counter\na 1",
    ],
)
def test_the_format_check_refuses_what_is_none(text: str) -> None:
    with pytest.raises((AssertionError, KeyError)):
        samples_of(text)
