"""The text of `/metrics`: well-formed, linted as promtool does, and the same figures that are shared."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from prometheus_client.parser import text_string_to_metric_families

from local.documents.memory import MemoryDocuments
from local.fake_clock import FakeClock
from shared.figures.figures import Figures, Shared
from shared.figures.metrics import metrics_of
from shared.resilience.breaker_state import BreakerState
from shared.resilience.rate_limiter import Usage
from shared.storage.cache import CacheStatistics
from shared.sync.model import ENTITIES
from shared.sync.runs.backlog import Backlog
from shared.sync.runs.totals import Overview, add_run, overview
from shared.telemetry.metrics import prometheus_text
from tests.unit.test_totals import NOW, SETTINGS, a_report, a_run

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(
    rf'({NAME})(?:\{{({NAME}="(?:[^"\\\n]|\\[\\"n])*"(?:,{NAME}="(?:[^"\\\n]|\\[\\"n])*")*)\}})? (\S+)'
)
SUFFIXES = {"counter": ("",), "gauge": ("",), "summary": ("_sum", "_count")}
RESERVED_SUFFIXES = ("_sum", "_count", "_bucket", "_total")
OTHER_UNITS = re.compile(r"_(ms|milliseconds|minutes|hours|days|percent|kb|mb)(_|$)")
LABEL = re.compile(r"[a-z_]+")

SEED_PLAN = {
    "sync_operations_total": {"operation", "status"},
    "sync_duration_seconds": set(),
    "api_requests_total": {"service", "endpoint", "status"},
    "cache_hits_total": {"cache_name"},
    "cache_misses_total": {"cache_name"},
    "active_syncs": set(),
    "last_sync_timestamp": set(),
    "limiter_used_ratio": {"service"},
    "breaker_state": {"service"},
    "breaker_open_seconds": {"service"},
    "queue_age_seconds": {"queue"},
    "runs_held": set(),
    "sync_failed_records": {"operation"},
    "dead_letters": {"queue"},
    "sync_runs_total": {"status"},
}
"""Names and labels that dashboards and alerts rely on."""


def samples_of(text: str) -> dict[str, float]:
    """Sample -> value; fails unless the text keeps to the exposition format 0.0.4."""
    assert text.endswith("\n")
    samples: dict[str, float] = {}
    families: set[str] = set()
    family, kind = "", ""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            assert family not in families, "a family must be in one piece"
            families.add(family)
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


def lint(text: str) -> Iterator[str]:
    """What `promtool check metrics` complains about."""
    helps = dict(line.split(" ", 3)[2:] for line in text.splitlines() if line.startswith("# HELP "))
    kinds = dict(line.split(" ")[2:] for line in text.splitlines() if line.startswith("# TYPE "))
    for name, kind in kinds.items():
        if not helps.get(name, "").strip():
            yield f"{name}: no help"
        if kind == "counter" and not name.endswith("_total"):
            yield f"{name}: counters end in _total"
        if kind != "counter" and name.endswith(RESERVED_SUFFIXES):
            yield f"{name}: only counters and parts of summaries end like that"
        if OTHER_UNITS.search(name):
            yield f"{name}: base units only"
        if name != name.lower():
            yield f"{name}: names are in lower case"
        if kind in name.split("_"):
            yield f"{name}: the type is no part of the name"
    for sample in samples_of(text):
        for label in re.findall(rf"({NAME})=\"", sample):
            if not LABEL.fullmatch(label) or label in ("le", "quantile", "job", "instance"):
                yield f"{sample}: label {label}"


def full_figures() -> Figures:
    """Every family has samples."""
    documents = MemoryDocuments(FakeClock())
    add_run(documents, a_run(failing=4), a_report())
    add_run(documents, a_run(2), a_report(phase="held"))
    runs = Overview(
        overview(documents, SETTINGS, NOW).totals,
        active=True,
        last_done_at=datetime(2026, 1, 5, 13, 0, tzinfo=UTC),
        paused=("jobs",),
        dead_letters={"change-batches": 2},
        queues={"change-batches": Backlog(3, 90.5)},
        failing={"jobs": 4},
        held_run_ids=("20260105-120000-abcdef",),
    )
    shared = Shared(
        up=True,
        windows={"safetyamp": Usage(45, 60, 1.5), "samsara": Usage(0, None, 0.0)},
        breakers={
            "safetyamp": BreakerState("safetyamp", "open", 5, 20.0, 130.0),
            "graph": BreakerState("graph", "half-open", 6, 0.0, 61.0),
            "vista": BreakerState("vista", "closed", 0, 0.0),
        },
        caches={"graph_users": CacheStatistics(7, 3, 1)},
    )
    return Figures(runs, shared)


EMPTY = Figures(Overview({}, active=False, last_done_at=None))


def test_the_text_of_an_empty_company_is_well_formed() -> None:
    assert samples_of(prometheus_text(metrics_of(EMPTY))) == {
        "sync_duration_seconds_sum": 0,
        "sync_duration_seconds_count": 0,
        "sync_waited_seconds_total": 0,
        "active_syncs": 0,
        "runs_held": 0,
        "redis_up": 0,
        **{f'sync_paused{{operation="{entity}"}}': 0 for entity in ENTITIES},
    }


def test_the_text_tells_every_figure() -> None:
    samples = samples_of(prometheus_text(metrics_of(full_figures())))
    assert samples['sync_operations_total{operation="jobs",status="created"}'] == 6
    assert samples['sync_operations_total{operation="jobs",status="failed"}'] == 0
    endpoint = 'api_requests_total{service="safetyamp",endpoint="POST /api/users",status="2xx"}'
    assert samples[endpoint] == 20
    assert samples['sync_runs_total{status="done"}'] == 1
    assert samples["sync_duration_seconds_sum"] == 120
    assert samples["sync_duration_seconds_count"] == 2
    assert samples["sync_waited_seconds_total"] == 3
    assert samples["active_syncs"] == 1
    assert samples["last_sync_timestamp"] == datetime(2026, 1, 5, 13, 0, tzinfo=UTC).timestamp()
    assert samples['dead_letters{queue="change-batches"}'] == 2
    assert samples['queue_age_seconds{queue="change-batches"}'] == 90.5
    assert samples['queue_waiting{queue="change-batches"}'] == 3
    assert samples['sync_failed_records{operation="jobs"}'] == 4
    assert samples["runs_held"] == 1
    assert samples['limiter_used_ratio{service="safetyamp"}'] == 0.75
    assert samples['limiter_window_calls{service="safetyamp"}'] == 45
    assert samples['limiter_window_limit{service="safetyamp"}'] == 60
    assert samples['limiter_blocked_seconds{service="safetyamp"}'] == 1.5
    assert 'limiter_used_ratio{service="samsara"}' not in samples, "it has no limit"
    states = [samples[f'breaker_state{{service="{name}"}}'] for name in ("vista", "graph", "safetyamp")]
    assert states == [0, 1, 2]
    assert samples['breaker_open_seconds{service="safetyamp"}'] == 130
    assert samples['cache_hits_total{cache_name="graph_users"}'] == 7
    assert samples['cache_misses_total{cache_name="graph_users"}'] == 3


def test_names_and_labels_are_those_that_others_rely_on() -> None:
    text = prometheus_text(metrics_of(full_figures()))
    families = {family.name: family for family in text_string_to_metric_families(text)}
    for name, labels in SEED_PLAN.items():
        # The parser takes `_total` off a counter's name.
        family = families[name.removesuffix("_total")]
        assert family.samples, name
        assert all(set(sample.labels) == labels for sample in family.samples), name


@pytest.mark.parametrize("figures", [EMPTY, full_figures()], ids=["empty", "full"])
def test_lint_finds_nothing(figures: Figures) -> None:
    assert list(lint(prometheus_text(metrics_of(figures)))) == []


def test_prometheus_s_own_parser_reads_the_same_samples() -> None:
    text = prometheus_text(metrics_of(full_figures()))
    parsed = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert sorted(sample.value for sample in parsed) == sorted(samples_of(text).values())
    assert "unknown" not in {family.type for family in text_string_to_metric_families(text)}


def test_calls_of_a_version_that_knew_no_endpoints_are_still_told() -> None:
    runs = Overview({"calls": {"safetyamp": 7.0}}, active=False, last_done_at=None)
    samples = samples_of(prometheus_text(metrics_of(Figures(runs))))
    assert samples['api_requests_total{service="safetyamp",endpoint="unknown",status="unknown"}'] == 7


def test_labels_are_escaped_and_big_figures_are_exact() -> None:
    runs = Overview({"calls": {'a"b\\c\nd': 123_456_789_012}}, active=False, last_done_at=None)
    text = prometheus_text(metrics_of(Figures(runs)))
    [sample] = [
        sample
        for family in text_string_to_metric_families(text)
        if family.name == "api_requests"
        for sample in family.samples
    ]
    assert (sample.labels["service"], sample.value) == ('a"b\\c\nd', 123_456_789_012)


def test_no_counter_ever_gets_less() -> None:
    """A counter that falls looks to Prometheus like a restart, and its whole value like an increase."""
    documents = MemoryDocuments(FakeClock())
    texts = [prometheus_text(metrics_of(Figures(overview(documents, SETTINGS, NOW))))]
    steps = [
        (a_run(1), a_report(phase="held")),
        (a_run(1), a_report()),
        (a_run(2, {}), a_report(phase="failed")),
        (a_run(1, {}), a_report()),
    ]
    for run, report in steps:
        add_run(documents, run, report)
        texts.append(prometheus_text(metrics_of(Figures(overview(documents, SETTINGS, NOW)))))
    for before, after in pairwise(map(samples_of, texts)):
        counters = [sample for sample in before if "_total" in sample or sample.endswith(("_sum", "_count"))]
        assert all(after[sample] >= before[sample] for sample in counters)


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


@pytest.mark.parametrize(
    "text",
    [
        "# HELP a A.\n# TYPE a counter\na 1\n",
        "# HELP a_total A.\n# TYPE a_total gauge\na_total 1\n",
        "# HELP a_ms A.\n# TYPE a_ms gauge\na_ms 1\n",
        "# HELP a_gauge A.\n# TYPE a_gauge gauge\na_gauge 1\n",
        '# HELP a A.\n# TYPE a gauge\na{job="x"} 1\n',
        "# HELP aB A.\n# TYPE aB gauge\naB 1\n",
    ],
)
def test_the_lint_finds_what_promtool_would(text: str) -> None:
    assert list(lint(text))
